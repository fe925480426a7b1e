//! A cluster with an operator that the tests of one binary share, each in namespaces of its own.

use tokio::runtime::Runtime;

use super::{Cluster, Operator, OperatorOptions};

/// Log lines of the operator that a failed test shows.
const LOG_LINES: usize = 200;

/// A cluster with an operator, to be kept in a static: both end with the test process.
pub struct Shared {
    /// Every test runs on it: connections of the client belong to the runtime that opened them.
    runtime: Runtime,
    cluster: Cluster,
    operator: Operator,
}

impl Shared {
    /// Starts a cluster in which all is ready, and an operator with the given settings.
    pub fn start(settings: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (cluster, operator) = runtime.block_on(async {
            let cluster = Cluster::ready().await;
            let options = OperatorOptions { settings: settings.to_owned(), ..OperatorOptions::default() };
            let operator = Operator::lodge(&cluster.plane, &options).await;
            cluster.until_leading(&operator).await;
            (cluster, operator)
        });
        Self { runtime, cluster, operator }
    }

    /// Runs a test.
    pub fn run(&self, test: impl AsyncFnOnce(&Cluster)) {
        let _log = LogOfFailure(&self.operator);
        self.runtime.block_on(test(&self.cluster));
    }

    /// Asks the cluster something outside of a test.
    pub fn block_on<T>(&self, ask: impl AsyncFnOnce(&Cluster) -> T) -> T {
        self.runtime.block_on(ask(&self.cluster))
    }

    /// The operator beside the cluster.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }
}

/// Shows the end of the operator's log when a test fails.
struct LogOfFailure<'a>(&'a Operator);

impl Drop for LogOfFailure<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.0.log();
            let lines: Vec<&str> = log.lines().collect();
            let from = lines.len().saturating_sub(LOG_LINES);
            eprintln!("--- the end of the operator's log ---\n{}", lines.get(from..).unwrap_or_default().join("\n"));
        }
    }
}
