import { render } from "preact";
import { App } from "./app.js";
import "uplot/dist/uPlot.min.css";
import "./style.css";
import "./tables.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
