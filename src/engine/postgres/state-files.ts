import { basename, dirname } from "node:path";
import type { Client } from "pg";
import { HostError } from "../../errors.js";
import type { FileStatus, FileSystem, OpenFile } from "../../io/file-system.js";
import type { Lease } from "../engine.js";
import type { Lane } from "./lane.js";
import { leads, notLeader } from "./lease.js";
import { fromPostgres } from "./postgres-error.js";
import type { Tables } from "./tables.js";

/** A file that is being written: it exists for its writer alone until it is renamed. */
interface Draft {
  content: Buffer;
}

const access = { mode: 0o600, uid: 0, gid: 0 };

/**
 * Small files in the database: what the leader knows of operations, policies and backups, for its successor. Only the
 * leader changes them, while its lease lasts (LEADER_UNAVAILABLE), so that one that lost its lease unnoticed overwrites nothing.
 * A file becomes visible, and durable, when it is renamed. Directories are names, which need not be made.
 */
export class StateFiles implements FileSystem {
  private readonly drafts = new Map<string, Draft>();

  constructor(
    private readonly lane: Lane,
    private readonly tables: Tables,
    private readonly lease: Lease,
  ) {}

  create(path: string): Promise<OpenFile> {
    const draft = { content: Buffer.alloc(0) };
    this.drafts.set(path, draft);
    return Promise.resolve(openDraft(draft));
  }

  async openToRead(path: string): Promise<OpenFile> {
    const [row] = await this.query<{ content: Buffer }>(
      `SELECT content FROM ${this.tables.state} WHERE path = $1`,
      [path],
    );
    if (!row) throw missing(path);
    return openDraft({ content: row.content });
  }

  openToWrite(path: string): Promise<OpenFile> {
    const draft = this.drafts.get(path);
    if (!draft) return Promise.reject(notSupported(path));
    return Promise.resolve(openDraft(draft));
  }

  async rename(from: string, to: string): Promise<void> {
    const draft = this.drafts.get(from);
    if (!draft) return this.renameStored(from, to);
    await this.change(
      `INSERT INTO ${this.tables.state} (path, content) SELECT $3, $4 WHERE ${leads(this.tables)}
       ON CONFLICT (path) DO UPDATE SET content = excluded.content`,
      [to, draft.content],
    );
    this.drafts.delete(from);
  }

  async remove(path: string): Promise<void> {
    if (this.drafts.delete(path)) return;
    const stored = await this.status(path);
    if (stored)
      await this.change(
        `DELETE FROM ${this.tables.state} WHERE path = $3 AND ${leads(this.tables)}`,
        [path],
      );
  }

  async list(path: string): Promise<string[]> {
    const prefix = `${path}/`;
    const rows = await this.query<{ path: string }>(
      `SELECT path FROM ${this.tables.state} WHERE starts_with(path, $1) ORDER BY path`,
      [prefix],
    );
    return rows
      .map((row) => row.path)
      .filter((one) => dirname(one) === path)
      .map((one) => basename(one));
  }

  async status(path: string): Promise<FileStatus | undefined> {
    const rows = await this.query<{ size: number }>(
      `SELECT length(content) AS size FROM ${this.tables.state} WHERE path = $1`,
      [path],
    );
    const [row] = rows;
    return row && { kind: "file", sizeBytes: row.size, modifiedMs: 0, access, version: "" };
  }

  realPath(path: string): Promise<string> {
    return Promise.resolve(path);
  }

  makeDirectory(): Promise<void> {
    return Promise.resolve();
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve();
  }

  openToAppend(path: string): Promise<OpenFile> {
    return Promise.reject(notSupported(path));
  }

  removeTree(path: string): Promise<void> {
    return Promise.reject(notSupported(path));
  }

  removeEmptyDirectory(path: string): Promise<void> {
    return Promise.reject(notSupported(path));
  }

  freeBytes(path: string): Promise<number> {
    return Promise.reject(notSupported(path));
  }

  totalBytes(path: string): Promise<number> {
    return Promise.reject(notSupported(path));
  }

  private async renameStored(from: string, to: string): Promise<void> {
    await this.change(
      `WITH moved AS (DELETE FROM ${this.tables.state} WHERE path = $3 AND ${leads(this.tables)} RETURNING content)
       INSERT INTO ${this.tables.state} (path, content) SELECT $4, content FROM moved
       ON CONFLICT (path) DO UPDATE SET content = excluded.content`,
      [from, to],
    );
  }

  private async change(text: string, values: readonly unknown[]): Promise<void> {
    const { term, run } = this.lease;
    const { rowCount } = await this.use((client) => client.query(text, [term, run, ...values]));
    if (rowCount === 0) throw notLeader();
  }

  private async query<Row extends object>(
    text: string,
    values: readonly unknown[],
  ): Promise<Row[]> {
    const { rows } = await this.use((client) => client.query<Row>(text, [...values]));
    return rows;
  }

  private async use<T>(work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await this.lane.use(work);
    } catch (thrown) {
      throw fromPostgres(thrown, "Keeping the state of the leader");
    }
  }
}

function openDraft(draft: Draft): OpenFile {
  const write = (bytes: Uint8Array, position: number) => {
    const end = position + bytes.length;
    const grown = Buffer.alloc(Math.max(end, draft.content.length));
    draft.content.copy(grown);
    grown.set(bytes, position);
    draft.content = grown;
  };
  const done = () => Promise.resolve();
  return {
    write: (bytes, position) => done().then(() => write(bytes, position)),
    writeMany: (chunks, position) => done().then(() => write(Buffer.concat(chunks), position)),
    read: (buffer, position) => {
      const part = draft.content.subarray(position, position + buffer.length);
      buffer.set(part);
      return Promise.resolve(part.length);
    },
    size: () => Promise.resolve(draft.content.length),
    status: () =>
      Promise.resolve({
        kind: "file",
        sizeBytes: draft.content.length,
        modifiedMs: 0,
        access,
        version: "",
      }),
    realPath: () => Promise.resolve(undefined),
    setAccess: done,
    truncate: (sizeBytes) =>
      done().then(() => void (draft.content = draft.content.subarray(0, sizeBytes))),
    sync: done,
    close: done,
  };
}

const missing = (path: string) =>
  Object.assign(new Error(`ENOENT: ${path} does not exist`), { code: "ENOENT" });

const notSupported = (path: string) =>
  new HostError("INTERNAL", `${path} is a file in the database, with which this cannot be done.`);
