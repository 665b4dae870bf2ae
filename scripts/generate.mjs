// Makes everything that is generated from the protos: gen/ts, clients/typescript/src/gen and, where Go is there,
// clients/go. Go's plugins are built once, pinned, into .cache/go-bin.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const goBin = join(root, ".cache", "go-bin");
const goPlugins = {
  "protoc-gen-go": "google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12",
  "protoc-gen-go-grpc": "google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2",
};

function run(command, args, env = {}) {
  execFileSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } });
}

const buf = join(root, "node_modules", ".bin", "buf");
run(buf, ["generate"]);
run(buf, ["generate", "--template", "buf.gen.vendor.yaml"]);
run(buf, ["generate", "--template", "buf.gen.client.yaml"]);

if (spawnSync("go", ["version"]).status === 0) {
  for (const [name, module] of Object.entries(goPlugins)) {
    // A file beside the plugin says which version it is: a new pin builds anew.
    const marker = join(goBin, `${name}.${module.split("@")[1]}`);
    if (existsSync(marker)) continue;
    console.log(`building ${module}`);
    run("go", ["install", module], { GOBIN: goBin });
    execFileSync("touch", [marker]);
  }
  const clientGo = join(root, "clients", "go");
  // The plugins' output alone lives below directories named after the packages; nothing written by hand does.
  for (const name of existsSync(clientGo) ? readdirSync(clientGo) : []) {
    const generated = join(clientGo, name, "v1");
    if (existsSync(generated) && statSync(generated).isDirectory())
      rmSync(generated, { recursive: true });
  }
  run(buf, ["generate", "--template", "buf.gen.go.yaml"], {
    PATH: `${goBin}${delimiter}${process.env.PATH}`,
  });
} else {
  console.warn("SKIPPED: Go is not installed, so clients/go was left as it is.");
}
