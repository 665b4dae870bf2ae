import { openSqlite } from "../../src/engine/registry.js";
import { engineContract } from "./engine-suite.js";

engineContract("SQLite", openSqlite);
