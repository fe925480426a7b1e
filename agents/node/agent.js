// The agent proper: OpenTelemetry's SDK with its instrumentations, configured by the environment. Bundled by build.mjs.
'use strict';

const { pathToFileURL } = require('url');
const { register } = require('module');
const { diag, DiagConsoleLogger, trace } = require('@opentelemetry/api');
const { diagLogLevelFromString } = require('@opentelemetry/core');
const { getNodeAutoInstrumentations, getResourceDetectors } = require('@opentelemetry/auto-instrumentations-node');
const { logs } = require('@opentelemetry/api-logs');
const { NodeSDK } = require('@opentelemetry/sdk-node');
// Stays a package of its own: what it puts around ES modules imports it from there.
const { createAddHookMessageChannel } = require('import-in-the-middle');

// An application that starts an SDK of its own has asked for that one; ours would only double it.
const OWN = /(^|\/)(dd-trace|newrelic|elastic-apm-node|@opentelemetry\/sdk-node|@opentelemetry\/auto-instrumentations-node)(\/|$)/;
const preloads = [...process.execArgv, ...(process.env.NODE_OPTIONS || '').split(/\s+/)];
const other = preloads.map((word) => word.replace(/^--?\w+=/, '')).find((word) => OWN.test(word));
if (other) throw new Error('another agent is loaded: ' + other);

if (process.env.OTEL_LOG_LEVEL) {
  diag.setLogger(new DiagConsoleLogger(), { logLevel: diagLogLevelFromString(process.env.OTEL_LOG_LEVEL) });
}

// Only the modules that somebody instruments are touched; the others are loaded as without. Before 18.19 and 20.6 nothing
// can be put around ES modules from here.
if (register) {
  const { registerOptions } = createAddHookMessageChannel();
  register('import-in-the-middle/hook.mjs', pathToFileURL(__filename), registerOptions);
}

// The clouds' detectors ask the network at every start, and where there is no cloud they wait and warn. Who the telemetry is
// from is known without them.
const DETECTORS = 'OTEL_NODE_RESOURCE_DETECTORS';
const detectors = process.env[DETECTORS];
process.env[DETECTORS] = detectors || 'env,host,os,process,serviceinstance';
const resourceDetectors = getResourceDetectors();
if (detectors === undefined) delete process.env[DETECTORS];

// A span for each connection and each look-up of a name is noise beside the request that they are for.
const off = { enabled: false };
const instrumentations = getNodeAutoInstrumentations({
  '@opentelemetry/instrumentation-dns': off,
  '@opentelemetry/instrumentation-net': off,
});

const sdk = new NodeSDK({ instrumentations, resourceDetectors });
sdk.start();

const flush = () => {
  const providers = [trace.getTracerProvider().getDelegate(), logs.getLoggerProvider()];
  return Promise.allSettled(providers.map((provider) => provider.forceFlush && provider.forceFlush()));
};

process.once('beforeExit', flush);

// A listener for a signal takes away what the signal does by itself. So ours does that in the end, unless the application
// listens as well and decides for itself.
process.once('SIGTERM', async () => {
  const alone = process.listenerCount('SIGTERM') === 0;
  await Promise.race([flush(), new Promise((resolve) => setTimeout(resolve, 2000).unref())]);
  if (alone) process.kill(process.pid, 'SIGTERM');
});
