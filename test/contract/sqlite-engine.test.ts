import { openStorageEngine } from "../../src/engine/registry.js";
import { engineContract } from "./engine-suite.js";

engineContract("SQLite", (options) => openStorageEngine("sqlite", options));
