import { parseTemplate } from "./template.js";
import type { ExtraRules } from "./rules.js";

/** WaitOperation has no HTTP form in Google's proto; this one is like that of Cancel. */
export const operationRules: ExtraRules = {
  "google.longrunning.Operations.WaitOperation": {
    httpMethod: "POST",
    template: parseTemplate("/v1/{name=operations/**}:wait"),
    body: "*",
    responseBody: "",
  },
};
