// Sets OpenTelemetry up for this process. Node.js loads it by `--require`, whichever its version, so what is in this file
// runs in old ones too and only then loads the rest.
'use strict';

// As agents/catalog.yaml has it.
function agentFor(version) {
  const [major, minor] = version.split('.').map(Number);
  const isAtLeast = (wanted, least) => major > wanted || (major === wanted && minor >= least);
  if (isAtLeast(20, 6) || (major === 18 && minor >= 19)) return './agent.js';
  if (isAtLeast(14, 18)) return './14/agent.js';
  return undefined;
}

function say(text) {
  if (process.env.EPIPHYTE_INJECTOR_LOG === '1') console.error('epiphyte: Node.js is not instrumented: ' + text);
}

try {
  // Worker threads inherit the option; their process is instrumented already.
  const { isMainThread } = require('worker_threads');
  const agent = agentFor(process.versions.node);
  if (!agent) say(process.version + ' is not served');
  else if (isMainThread) require(agent);
} catch (error) {
  say((error && error.message) || error);
}
