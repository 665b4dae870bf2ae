import { noLimit } from "../query/specification.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { FactoryDescription } from "../../service/documents/document-service.js";
import { limits } from "../../limits.js";
import { nodeSelectorLink } from "./node-group-routes.js";
import { statsText } from "./stats-text.js";

/**
 * What GET of a factory's or a document's utility service answers, which Xenon's clients look at before they talk to the service
 * itself; undefined where there is none. A document of that link comes first.
 */
export function utilityText(
  factory: FactoryDescription,
  link: string,
  { hostId, startTimeMicros }: { hostId: string; startTimeMicros: number },
): string | undefined {
  switch (link.slice(factory.path.length)) {
    // A factory is there as soon as the host listens.
    case "/available":
      return "";
    case "/config":
      return JSON.stringify(factoryConfiguration(factory));
    case "/stats": {
      const available = {
        name: "isAvailable",
        latestValue: 1,
        accumulatedValue: 1,
        version: 1,
        lastUpdateMicros: startTimeMicros,
      };
      return statsText([available], link, hostId);
    }
    default:
      return link.endsWith("/template") ? JSON.stringify(documentTemplate(factory)) : undefined;
  }
}

// Versions go by age, never by their number. Xenon's migration takes the limit for the size of a page that holds all of them, and
// the greatest size stands for "no pages".
const retention = {
  versionRetentionLimit: noLimit - 1,
  versionRetentionFloor: limits.retainedVersions,
};

function factoryConfiguration(factory: FactoryDescription) {
  const durable = factory.indexLink === durableIndexLink;
  return {
    childOptions: [...(durable ? ["PERSISTENCE"] : []), "CONCURRENT_GET_HANDLING"],
    maintenanceIntervalMicros: 0,
    operationQueueLimit: 0,
    epoch: 0,
    version: 0,
    ...retention,
    peerNodeSelectorPath: nodeSelectorLink,
    options: ["CONCURRENT_UPDATE_HANDLING", "CONCURRENT_GET_HANDLING", "FACTORY"],
    documentVersion: 0,
    documentKind: "com:vmware:xenon:common:ServiceConfiguration",
    documentUpdateTimeMicros: 0,
    documentExpirationTimeMicros: 0,
  };
}

/** The description of a document's kind, as far as this host has one: nothing of its fields. */
function documentTemplate({ kind }: FactoryDescription) {
  return {
    documentDescription: {
      propertyDescriptions: {},
      serviceCapabilities: [],
      ...retention,
      serializedStateSizeLimit: limits.documentBytes,
    },
    documentVersion: 0,
    documentKind: kind,
    documentUpdateTimeMicros: 0,
    documentExpirationTimeMicros: 0,
  };
}
