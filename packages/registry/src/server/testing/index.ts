export { type ContractStorage, describeBlobStorage } from "./blob-storage-contract.ts";
export { openS3ContractStorage } from "./open-s3-contract-storage.ts";
