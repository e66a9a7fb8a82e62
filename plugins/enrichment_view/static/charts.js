// Draws the charts with Plotly: the data comes with the page, the colours from its stylesheet. The script is big, so it
// is fetched with the first chart only.

const KINDS = {
  "lock-waits": lockWaits,
  "server-latency": serverLatency,
  "latency-comparison": latencyComparison,
};
const NARROW = 560; // px: no room for words beside the bars
const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false };
const { root } = document.documentElement.dataset;

let plotly = null;

function loadPlotly(version) {
  plotly ??= new Promise((resolve, reject) => {
    // with an element of this name Plotly adds no styles of its own; run.css has what it needs
    const styles = document.createElement("meta");
    styles.id = "plotly.js-style-global";
    styles.className = "no-inline-styles";
    const script = document.createElement("script");
    script.src = `${root}/packages/plotly.js?v=${encodeURIComponent(version)}`;
    const restore = refuseStyles(document.head);
    script.onload = () => {
      restore();
      resolve(window.Plotly);
    };
    script.onerror = () => {
      restore();
      reject(new Error("the script of the charts cannot be loaded"));
    };
    document.head.append(styles, script);
  });
  return plotly;
}

// While it is loaded the script adds the styles of maps, which no chart here needs and the content security policy
// refuses with an error in the console.
function refuseStyles(head) {
  const { appendChild } = head;
  head.appendChild = (node) => (node.nodeName === "STYLE" ? node : appendChild.call(head, node));
  return () => {
    delete head.appendChild;
  };
}

// The colours of light-dark() are resolved where they are used, so they are read from an element that uses them.
function palette() {
  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const names = ["fg", "fg-muted", "border", "bg-raised", "server", "client", "known", "unknown"];
  const colours = Object.fromEntries(names.map((name) => [name, read(name)]));
  colours.runs = [1, 2, 3, 4, 5].map((place) => read(`run-${place}`));
  probe.remove();
  return colours;
}

function layout(colours, more) {
  const axis = { color: colours["fg-muted"], gridcolor: colours.border, linecolor: colours.border, zeroline: false, fixedrange: true };
  const { xaxis, yaxis, ...rest } = more;
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colours.fg },
    margin: { l: 60, r: 16, t: 8, b: 44 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    hoverlabel: { bgcolor: colours["bg-raised"], bordercolor: colours.border, font: { color: colours.fg } },
    dragmode: false,
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
    ...rest,
  };
}

function milliseconds(value) {
  if (value === 0) return "0 ms";
  if (value < 1) return "<1 ms";
  if (value < 999.95) return `${value.toFixed(1)} ms`;
  if (value < 59950) return `${(value / 1000).toFixed(1)} s`;
  const seconds = Math.round(value / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function lockWaits({ waits }, colours, width) {
  const isNarrow = width < NARROW;
  const lines = waits.map((wait, place) => ({ ...wait, line: String(place) }));
  const traces = [
    { name: "blocker known", known: true, color: colours.known },
    { name: "blocker unknown", known: false, color: colours.unknown },
  ].map(({ name, known, color }) => {
    const own = lines.filter((wait) => wait.is_blocker_known === known);
    return {
      type: "bar",
      orientation: "h",
      name,
      base: own.map((wait) => wait.from),
      x: own.map((wait) => wait.ms),
      y: own.map((wait) => wait.line),
      customdata: own.map((wait) => [milliseconds(wait.ms), wait.blocker, wait.waiter]),
      hovertemplate: "waits %{customdata[0]}<br>waiter %{customdata[2]}<br>blocker %{customdata[1]}<extra></extra>",
      marker: { color, line: { color, width: 2 }, pattern: known ? {} : { shape: "/" } },
      text: own.map((wait) => (isNarrow ? "" : `${milliseconds(wait.ms)} for ${wait.blocker}`)),
      textposition: "outside",
      cliponaxis: false,
      textfont: { color: colours.fg },
    };
  });
  return {
    traces: traces.filter((trace) => trace.x.length),
    layout: layout(colours, {
      barmode: "overlay",
      height: 110 + 34 * lines.length,
      margin: { l: isNarrow ? 106 : 130, r: 16, t: 8, b: 44 },
      xaxis: { type: "date", title: { text: "time, UTC" }, range: padded(waits, isNarrow ? 0.05 : 0.4) },
      yaxis: {
        type: "category",
        categoryarray: lines.map((wait) => wait.line),
        tickvals: lines.map((wait) => wait.line),
        ticktext: lines.map((wait) => wait.waiter),
        autorange: "reversed",
      },
    }),
  };
}

// Room at the right for the words beside the last bar.
function padded(waits, share) {
  const from = Math.min(...waits.map((wait) => Date.parse(wait.from)));
  const to = Math.max(...waits.map((wait) => Date.parse(wait.from) + wait.ms));
  const span = Math.max(to - from, 10000);
  return [new Date(from - span * 0.03).toISOString(), new Date(to + span * share).toISOString()];
}

function bounded(points, name, color) {
  return {
    type: "scatter",
    mode: "lines+markers",
    name,
    x: points.map((point) => point.name),
    y: points.map((point) => Math.max(point.value, 0.5)),
    error_y: {
      type: "data",
      symmetric: false,
      array: points.map((point) => (point.high === null ? 0 : point.high - point.value)),
      arrayminus: points.map((point) => (point.low === null ? 0 : point.value - Math.max(point.low, 0.5))),
      color,
      thickness: 1.5,
      width: 5,
    },
    customdata: points.map((point) => [
      milliseconds(point.value),
      point.low === null || point.low === point.high ? "" : `<br>between ${milliseconds(point.low)} and ${milliseconds(point.high)}`,
    ]),
    hovertemplate: `${name}, %{x}: %{customdata[0]}%{customdata[1]}<extra></extra>`,
    line: { color, width: 2 },
    marker: { color, size: 8 },
  };
}

// 1, 2 and 5 of each power of ten that the values reach.
function ticks(traces) {
  const values = traces.flatMap((trace) => trace.y);
  const powers = [];
  for (let power = Math.floor(Math.log10(Math.min(...values))); power <= Math.log10(Math.max(...values)); power += 1) {
    powers.push(...[1, 2, 5].map((digit) => digit * 10 ** power));
  }
  return { tickvals: powers, ticktext: powers.map((value) => milliseconds(value).replace(".0 ", " ")) };
}

function latencyLayout(colours, traces) {
  return layout(colours, {
    height: 300,
    xaxis: { type: "category", categoryarray: ["p50", "p90", "p95", "p99", "p99.9"], categoryorder: "array" },
    margin: { l: 84, r: 16, t: 8, b: 44 },
    yaxis: { type: "log", title: { text: "logarithmic scale", standoff: 14 }, ...ticks(traces) },
  });
}

function serverLatency({ points, client }, colours) {
  const traces = [bounded(points, "Server execution", colours.server)];
  if (client.length) {
    const waited = client.map((point) => ({ ...point, low: point.value, high: point.value }));
    const trace = bounded(waited, "Client, round trip", colours.client);
    traces.push({ ...trace, marker: { ...trace.marker, symbol: "diamond" }, line: { ...trace.line, dash: "dot" } });
  }
  return { traces, layout: latencyLayout(colours, traces) };
}

function latencyComparison({ runs }, colours) {
  const symbols = ["circle", "diamond", "square", "triangle-up", "x"];
  const traces = runs.map((run, place) => {
    const trace = bounded(run.points, run.name, colours.runs[place]);
    return { ...trace, marker: { ...trace.marker, symbol: symbols[place] } };
  });
  const drawn = traces.filter((trace) => trace.x.length);
  return { traces: drawn, layout: latencyLayout(colours, drawn) };
}

// Drawn anew in another width: words and margins depend on it, and Plotly would scale the height as well.
const widths = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.dataset.drawn && target.clientWidth && target.clientWidth !== target.drawnWidth) {
      drawOne(document.querySelector(`script[data-chart-of="${target.id}"]`));
    }
  }
});

async function drawOne(script) {
  const canvas = document.getElementById(script.dataset.chartOf);
  const data = JSON.parse(script.textContent);
  try {
    const library = await loadPlotly(data.library);
    const width = canvas.clientWidth;
    const { traces, layout: shape } = KINDS[data.kind](data, palette(), width);
    canvas.drawnWidth = width;
    await library.react(canvas, traces, { ...shape, width }, CONFIG);
    canvas.dataset.drawn = "true";
    widths.observe(canvas);
  } catch (error) {
    canvas.textContent = `The chart cannot be drawn: ${error.message}. The table below has the numbers.`;
  }
}

export function draw(within) {
  for (const script of within.querySelectorAll("script[data-chart-of]")) drawOne(script);
}

document.addEventListener("themechange", () => draw(document));
