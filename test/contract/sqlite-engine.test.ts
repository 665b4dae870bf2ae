import { sqliteKit } from "../../src/engine/sqlite/kit.js";
import { engineContract } from "./engine-suite.js";

engineContract("SQLite", sqliteKit);
