export { formatGeneral } from "./format-general.ts";
export { GoMap, GoStruct, type GoValue, goValueFromJson, noField, parseExactJson } from "./go-value.ts";
export { openTemplate, type Template } from "./run-template.ts";
export { templateFaults } from "./template-faults.ts";
export { templateFunctions } from "./template-functions.ts";
