// The health page asks again as long as it is visible.

import { keepCurrent } from "./refresh.js";

keepCurrent(document.getElementById("health"));
