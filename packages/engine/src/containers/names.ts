import type { ContainerId } from "./container-record.ts";

export type RandomBytes = (size: number) => Uint8Array;

/** A new id: 32 random bytes in hexadecimal. An id of digits only would be taken for a number by some tools. */
export function createContainerId(randomBytes: RandomBytes): ContainerId {
  for (;;) {
    const id = Buffer.from(randomBytes(32)).toString("hex");
    if (/[a-f]/.test(id.slice(0, 12))) return id as ContainerId;
  }
}

/** A name for a container that was given none, as `busy_hopper`; after `attempt` clashes a digit is added. */
export function createContainerName(randomBytes: RandomBytes, attempt: number): string {
  const [a = 0, b = 0, digit = 0] = randomBytes(3);
  const name = `${moods[a % moods.length]}_${people[b % people.length]}`;
  return attempt === 0 ? name : `${name}${digit % 10}`;
}

/** Docker's rule for names. */
export function isContainerName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name);
}

const moods = (
  "able agile alert ample amused apt avid blithe bold brave breezy bright brisk busy calm candid capable careful caring " +
  "cheery civil clever cool cosy crisp curious daring dear deft eager earnest easy epic exact fair famous fine firm fond " +
  "frank free fresh gentle glad good grand great handy happy hardy hearty honest hopeful humble jolly jovial keen kind " +
  "lively loyal lucid lucky mellow merry mighty mild modest neat nifty nimble noble patient peppy placid plucky polite " +
  "prime proud quick quiet ready regal robust serene sharp sincere sleek smart snappy solid spry stable steady stoic " +
  "sturdy sunny sure swift tender tidy trusty upbeat valiant vivid warm wise witty zealous"
).split(" ");

const people = (
  "allen babbage bardeen bell blackwell bohr boole booth boyd brahmagupta brattain burnell cerf chandrasekhar clarke " +
  "corbato cray curie darwin diffie dijkstra easley einstein engelbart euclid euler faraday fermat fermi feynman franklin " +
  "galileo gauss germain goldberg hamilton hamming hawking heisenberg hellman hertz hoare hodgkin hopper hypatia jackson " +
  "jang johnson kahn kapitsa kay keldysh kepler kernighan kilby knuth kowalevski lamarr lamport leavitt liskov lovelace " +
  "margulis maxwell mccarthy meitner mendel mirzakhani moore morse napier nash newton nightingale nobel noether noyce " +
  "pascal pasteur payne perlman pike poincare ptolemy raman ritchie rubin saha shannon shockley sutherland swartz tesla " +
  "thompson torvalds turing varahamihira volhard wilson wing wozniak wright yalow yonath"
).split(" ");
