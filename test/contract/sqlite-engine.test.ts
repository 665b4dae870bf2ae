import { sqliteEngine } from "../../src/engine/sqlite/storage-engine.js";
import { engineContract } from "./engine-suite.js";

engineContract("SQLite", sqliteEngine);
