/**
 * What a conformance script must show, whatever the provider. The crate `sdk/script` demands the same of it.
 */

/** @import { Exchange, Script, Step, TxtRecord } from "./testing.js" */

const TWO_VALUES = "two values";

const REQUIRED = [
  {
    name: "happy path",
    needs: "a present and after it a cleanup of the same record, both successful",
    isShownBy: (steps) => {
      const old = successes(steps, "cleanup");
      return successes(steps, "present").some((one) => old.some((other) => one.at < other.at && isSame(one, other)));
    },
  },
  {
    name: TWO_VALUES,
    needs: "two successful calls of present with different values at one name",
    isShownBy: (steps) => {
      const all = successes(steps, "present");
      return all.some((one) => all.some(({ name, value }) => name === one.name && value !== one.value));
    },
  },
  {
    name: "repeat",
    needs:
      "a successful present of a value that is there already: presented earlier in this scenario, or shown by the " +
      "answer to a request that does not hold it",
    isShownBy: (steps) => {
      const all = successes(steps, "present");
      const isAgain = (one) => all.some((other) => other.at < one.at && isSame(one, other));
      return all.some((one) => isAgain(one) || one.exchanges.some((exchange) => shows(exchange, one.value)));
    },
  },
  {
    name: "cleanup by value",
    needs: "a successful cleanup with an empty with_handle",
    isShownBy: (steps) => {
      // Where the value was presented before and no handle is given, that of `present` is taken.
      const isKnown = ({ at, value }) => successes(steps.slice(0, at), "present").some((one) => one.value === value);
      const isEmpty = (one) => (one.handle === undefined ? !isKnown(one) : one.handle === "");
      return successes(steps, "cleanup").some(isEmpty);
    },
  },
];

/**
 * What the scenarios lack, each with the name of the one that it belongs into.
 *
 * @param {Script["scenarios"]} scenarios
 * @param {boolean} twoValues Whether the provider can keep two values at a name.
 * @returns {string[]}
 */
export function missing(scenarios, twoValues) {
  const wanted = REQUIRED.filter(({ name }) => twoValues || name !== TWO_VALUES);
  return wanted.flatMap(({ name, needs, isShownBy }) => {
    const scenario = scenarios.find((one) => one.name === name);
    if (!scenario) return `${name} (it is not there; it needs ${needs})`;
    return isShownBy(scenario.steps) ? [] : `${name} (it needs ${needs})`;
  });
}

/**
 * Where statuses are none that a server can answer with.
 *
 * @param {Script} script
 * @returns {string[]}
 */
export function wrongStatuses({ scenarios, refusals = [] }) {
  const answers = scenarios.flatMap(({ name, steps }) =>
    steps.flatMap(({ exchanges = [] }, index) =>
      exchanges.map(({ response }) => [`scenario ${JSON.stringify(name)}, step ${index + 1}`, response.status]),
    ),
  );
  answers.push(...refusals.map(({ name, response }) => [`refusal ${JSON.stringify(name)}`, response.status]));
  const isWrong = ([, status]) => !Number.isInteger(status) || status < 200 || status > 599;
  const told = ([place, status]) => `${place}: a status is a number from 200 to 599, not ${status}`;
  return answers.filter(isWrong).map(told);
}

/** The records of the calls that must succeed, with what else counts. */
function successes(steps, call) {
  return steps.flatMap((step, at) => {
    const isOne = step.call === call && !step.error && step.record;
    return isOne ? { ...step.record, at, handle: step.with_handle, exchanges: step.exchanges ?? [] } : [];
  });
}

function isSame(one, other) {
  return one.name === other.name && one.value === other.value;
}

/** Whether the vendor has the value, and does not just repeat what it was sent. */
function shows({ request, response }, value) {
  const text = ({ json, body }) => `${JSON.stringify(json)} ${body}`;
  return text(response).includes(value) && !`${request.url} ${text(request)}`.includes(value);
}
