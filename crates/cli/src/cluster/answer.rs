//! Answers with their head: what the API server says besides objects, and what it passes on from pods.

use anyhow::{Context as _, anyhow};
use http::Method;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;

use super::ask::cause;
use super::{Cluster, client};

/// An answer of the API server, or of a pod behind it.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// What the API server takes the time for, in whole seconds.
    pub(crate) date: Option<Timestamp>,
    /// By our clock.
    pub(crate) sent: Timestamp,
    /// By our clock.
    pub(crate) received: Timestamp,
}

impl Cluster {
    /// Asks for a path.
    pub(crate) async fn ask(&self, path: &str) -> anyhow::Result<Answer> {
        self.exchange(Method::GET, path, "application/json", Vec::new()).await
    }

    /// The client that asks once: to others an answer of 429, 503 or 504 is no answer, and they ask again for a minute; here it
    /// may be what a pod says.
    fn once(&self) -> anyhow::Result<&Client> {
        if let Some(client) = self.once.get() {
            return Ok(client);
        }
        let mut config = self.config.clone();
        config.default_retry = false;
        let made = client(config)?;
        Ok(self.once.get_or_init(|| made))
    }

    /// Sends a request once and gives the answer, whatever its status.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let request = http::Request::builder().method(method).uri(path).header("Content-Type", content_type);
        let request = request.body(Body::from(body)).with_context(|| format!("cannot ask for {path}"))?;
        let sent = Timestamp::now();
        let answer = self.once()?.send(request).await.map_err(|error| {
            let cause = cause(&error);
            let url = &self.url;
            anyhow!(
                "cannot reach the API server at {url}: {cause}; check that it runs and that the kubeconfig is right"
            )
        })?;
        let received = Timestamp::now();
        let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp()));
        let status = answer.status().as_u16();
        let body = answer.into_body().collect_bytes().await.context("the answer breaks off")?.to_vec();
        Ok(Answer { status, body, date, sent, received })
    }
}

impl Answer {
    /// The answer as JSON; null where it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
