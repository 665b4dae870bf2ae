import { Container } from "../../../gen/ts/holdfast/management/v1/management_pb.js";
import { containerKind } from "./backup.js";

test.each([
  [Container.UNSPECIFIED, "file:/b/x.zip", "ZIP"],
  [Container.UNSPECIFIED, "file:/b/x", "DIRECTORY"],
  [Container.DIRECTORY, "file:/b/x.zip", "DIRECTORY"],
  [Container.STREAM, "file:/b/x", "STREAM"],
  [Container.UNSPECIFIED, "https://store/x.zip", "STREAM"],
  [Container.ZIP, "HTTP://store/x.zip", "STREAM"],
  [Container.DIRECTORY, "http://store/x", "STREAM"],
])("maps container %i with destination %s to %s", (container, uri, kind) => {
  expect(containerKind(container, uri)).toBe(kind);
});
