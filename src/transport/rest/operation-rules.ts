import { parseTemplate } from "./template.js";
import type { ExtraRules } from "./rules.js";

/**
 * Adds an HTTP rule for WaitOperation, which has none in Google's proto, modelled on
 * CancelOperation.
 */
export const operationRules: ExtraRules = {
  "google.longrunning.Operations.WaitOperation": {
    httpMethod: "POST",
    template: parseTemplate("/v1/{name=operations/**}:wait"),
    body: "*",
    responseBody: "",
  },
};
