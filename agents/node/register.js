// Sets OpenTelemetry up for this process. Node.js loads it by `--require`, whichever its version, so what is in this file
// runs in old ones too and only then loads the rest.
'use strict';

function isServed(version) {
  const [major, minor] = version.split('.').map(Number);
  return major === 18 ? minor >= 19 : major === 20 ? minor >= 6 : major > 20;
}

function say(text) {
  if (process.env.EPIPHYTE_INJECTOR_LOG === '1') console.error('epiphyte: Node.js is not instrumented: ' + text);
}

try {
  // Worker threads inherit the option; their process is instrumented already.
  const { isMainThread } = require('worker_threads');
  if (!isServed(process.versions.node)) say(process.version + ' is not served');
  else if (isMainThread) require('./agent.js');
} catch (error) {
  say((error && error.message) || error);
}
