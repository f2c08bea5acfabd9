import { eachContainer } from "../each-container.ts";

export const command = eachContainer("unpause");
