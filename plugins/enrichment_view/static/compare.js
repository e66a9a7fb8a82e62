// The comparison: its chart.

import { draw } from "./charts.js";
import "./tips.js";

draw(document);
