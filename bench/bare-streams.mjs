// What streams are measured against: grpc-js and node:http with nothing but the bytes. Arguments: a file to send, the size
// of a chunk. Serves /bench.Bare/Down, /File, /Up and /Echo on one port, and the file by HTTP on another.
import { createReadStream, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { createServer } from "node:http";
import { pipeline } from "node:stream";
import { crc32 } from "node:zlib";
import { Server, ServerCredentials } from "@grpc/grpc-js";

const [file, chunkBytes] = process.argv.slice(2);
const same = (bytes) => bytes;
const codec = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};
const method = (name, requestStream, responseStream) => ({
  path: `/bench.Bare/${name}`,
  requestStream,
  responseStream,
  ...codec,
});
const size = Number(statSync(file).size);
const chunk = readFileSync(file).subarray(0, Number(chunkBytes));

const server = new Server({
  "grpc.max_receive_message_length": 20 << 20,
  "grpc.max_send_message_length": 20 << 20,
});
server.addService(
  {
    down: method("Down", false, true),
    file: method("File", false, true),
    up: method("Up", true, false),
    echo: method("Echo", false, false),
  },
  {
    // As many chunks of the same size, out of memory.
    down(call) {
      let left = Number(call.request.readDoubleLE(0));
      const more = () => {
        while (left > 0) {
          const bytes = chunk.subarray(0, Math.min(left, chunk.length));
          left -= bytes.length;
          if (!call.write(bytes)) return void call.once("drain", more);
        }
        call.end();
      };
      more();
    },
    // The file in such chunks, each with its checksum.
    async file(call) {
      const opened = await open(file);
      for (;;) {
        const { bytesRead, buffer } = await opened.read(Buffer.allocUnsafe(chunk.length));
        if (bytesRead === 0) break;
        const bytes = buffer.subarray(0, bytesRead);
        crc32(bytes);
        if (!call.write(bytes)) await new Promise((resolve) => call.once("drain", resolve));
      }
      await opened.close();
      call.end();
    },
    up(call, callback) {
      call.on("data", () => {});
      call.on("end", () => callback(null, Buffer.alloc(0)));
    },
    echo: (call, callback) => callback(null, call.request),
  },
);
const http = createServer((request, response) => {
  response.writeHead(200, { "content-length": size });
  pipeline(createReadStream(file), response, () => {});
});
await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.send({ port: http.address().port, grpcPort: port });
});
process.on("message", () => process.exit(0));
