import { noLimit } from "../query/specification.js";
import { durableIndexLink } from "../../service/documents/factories.js";
import type { FactoryDescription } from "../../service/documents/document-service.js";
import { limits } from "../../limits.js";
import { nodeSelectorLink } from "./node-group-routes.js";
import { statsText } from "./stats-text.js";

/**
 * Renders the response to GET of a utility service of a factory or document, which Xenon's clients
 * query before they use the service itself. Returns undefined for other links. A document with the
 * same link takes precedence.
 */
export function utilityText(
  factory: FactoryDescription,
  link: string,
  { hostId, startTimeMicros }: { hostId: string; startTimeMicros: number },
): string | undefined {
  switch (link.slice(factory.path.length)) {
    // A factory is available as soon as the host listens.
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

// Versions are removed by age, not by number. Xenon's migration uses the limit as the page size for
// reading all versions, and the largest value means "no pages".
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

/** Describes the kind of a document; the host has no descriptions of fields. */
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
