//! A control plane with our CustomResourceDefinitions, and how the benchmarks write to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use epiphyte_api::WorkloadKind;
use epiphyte_testbed::{Builder, ControlPlane};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use crate::manifests;

/// The system namespace.
pub(crate) const SYSTEM: &str = "odigos-system";

/// How long anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);

/// Requests of ours that are under way at once.
const AT_ONCE: usize = 16;

/// The controllers that are off: they make something of Deployments, or follow every object that there is.
const OFF: [&str; 3] = ["-deployment-controller", "-garbage-collector-controller", "-resourcequota-controller"];

/// A control plane with our definitions and the system namespace.
pub(crate) struct Cluster {
    pub(crate) plane: ControlPlane,
    /// The `epiphyte` program that is measured beside it.
    pub(crate) program: PathBuf,
    client: Client,
}

impl Cluster {
    /// Starts one in which Deployments are but objects, so that no controller's work is measured.
    pub(crate) async fn start(program: &Path) -> Result<Self> {
        crate::say("starting a control plane");
        let plane = OFF.into_iter().fold(Builder::default(), Builder::controller).start().await?;
        let client = plane.client();
        let cluster = Self { plane, program: program.to_owned(), client };
        for crd in epiphyte_api::custom_resource_definitions() {
            cluster.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &json!(crd)).await?;
        }
        for crd in [
            "odigos.io/v1alpha1/instrumentedapplications",
            "odigos.io/v1alpha1/collectorsgroups",
            "odigos.io/v1alpha1/sources",
            "operator.lumigo.io/v1/lumigoes",
        ] {
            until("the definitions are served", async || Ok(cluster.get(&format!("/apis/{crd}")).await.is_ok()))
                .await?;
        }
        cluster.namespace(SYSTEM).await?;
        Ok(cluster)
    }

    /// Makes a namespace without a mark.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        self.create("/api/v1/namespaces", &manifests::namespace(name, &json!({}))).await?;
        Ok(())
    }

    /// Puts a Secret with a tenant's token into a namespace.
    pub(crate) async fn token(&self, namespace: &str) -> Result<()> {
        self.create(&format!("/api/v1/namespaces/{namespace}/secrets"), &manifests::token(namespace)).await?;
        Ok(())
    }

    /// Puts a Lumigo into a namespace that has a token.
    pub(crate) async fn lumigo(&self, namespace: &str) -> Result<()> {
        let path = format!("/apis/operator.lumigo.io/v1/namespaces/{namespace}/lumigoes");
        self.create(&path, &manifests::lumigo(namespace)).await?;
        Ok(())
    }

    /// Creates Deployments, many at a time.
    pub(crate) async fn create_deployments(&self, deployments: impl Iterator<Item = Value>) -> Result<()> {
        let create = |deployment: Value| async move {
            let namespace = deployment.pointer("/metadata/namespace").and_then(Value::as_str).unwrap_or_default();
            self.create(&path(WorkloadKind::Deployment, namespace), &deployment).await.map(drop)
        };
        futures::stream::iter(deployments.map(create)).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// Creates an object.
    pub(crate) async fn create(&self, path: &str, object: &Value) -> Result<Value> {
        self.send(Method::POST, path, "application/json", object).await
    }

    /// Lays a patch over an object.
    pub(crate) async fn merge(&self, path: &str, patch: &Value) -> Result<Value> {
        self.send(Method::PATCH, path, "application/merge-patch+json", patch).await
    }

    /// Reads an object or a list.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, "application/json", &Value::Null).await
    }

    async fn send(&self, method: Method, path: &str, content_type: &str, body: &Value) -> Result<Value> {
        let failed = || format!("{method} {path}");
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let request =
            http::Request::builder().method(&method).uri(path).header("Content-Type", content_type).body(body)?;
        self.client.request(request).await.with_context(failed)
    }
}

/// The path of a namespace's workloads.
pub(crate) fn path(kind: WorkloadKind, namespace: &str) -> String {
    format!("/apis/{}/namespaces/{namespace}/{}", kind.api_version(), kind.plural())
}

/// Waits for something.
pub(crate) async fn until(what: &str, mut holds: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let wait = async {
        while !holds().await? {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, wait).await.with_context(|| format!("waited in vain: {what}"))?
}
