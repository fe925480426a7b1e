//! Single questions to the API server, and what a refusal means for the one who asked.

use anyhow::anyhow;
use epiphyte_operator::is_want_of_a_right;
use kube::api::{GetParams, ListParams};
use kube::core::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Cluster;

/// Objects in a page of a list.
const PAGE: u32 = 500;

/// How the API server serves a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resource {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
}

/// There is no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The API server does not serve the resource: its CustomResourceDefinition is missing.
    Unserved(String),
    /// We may not ask; says the verb and the resource.
    Forbidden(String),
    /// The API server cannot be asked at all.
    Fatal(anyhow::Error),
}

impl From<Refusal> for anyhow::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unserved(told) | Refusal::Forbidden(told) => anyhow!(told),
            Refusal::Fatal(error) => error,
        }
    }
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMetadata,
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    r#continue: Option<String>,
}

impl Resource {
    /// `group/version`.
    pub(crate) fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(super) fn request(&self, namespace: Option<&str>) -> Request {
        let root = if self.group.is_empty() { "/api" } else { "/apis" };
        let namespace = namespace.map(|name| format!("/namespaces/{name}")).unwrap_or_default();
        Request::new(format!("{root}/{}{namespace}/{}", self.api_version(), self.plural))
    }

    /// The plural with its group, as `kubectl` takes it.
    pub(crate) fn full_name(&self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }
}

impl Cluster {
    /// One object; `None` if it is not there.
    pub(crate) async fn get(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, Refusal> {
        let request = resource.request(namespace).get(name, &GetParams::default());
        let request =
            request.map_err(|error| Refusal::Fatal(anyhow!(error).context(format!("cannot ask for {name:?}"))))?;
        match self.client.request(request).await {
            Ok(object) => Ok(Some(object)),
            Err(kube::Error::Api(status)) if status.code == 404 && status.details.is_some() => Ok(None),
            Err(error) => Err(self.refusal("get", resource, namespace, error)),
        }
    }

    /// Every object that the field selector picks, page by page.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        fields: Option<&str>,
        each: impl FnMut(T),
    ) -> Result<(), Refusal> {
        let params = ListParams { field_selector: fields.map(str::to_owned), ..ListParams::default() };
        self.pages(resource, namespace, params, each).await
    }

    /// Every object of the cluster that has a label, page by page.
    pub(crate) async fn list_labelled<T: DeserializeOwned>(
        &self,
        resource: &Resource,
        label: &str,
        each: impl FnMut(T),
    ) -> Result<(), Refusal> {
        let params = ListParams { label_selector: Some(label.to_owned()), ..ListParams::default() };
        self.pages(resource, None, params, each).await
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        mut params: ListParams,
        mut each: impl FnMut(T),
    ) -> Result<(), Refusal> {
        params.limit = Some(PAGE);
        loop {
            let request = resource.request(namespace).list(&params).map_err(|error| Refusal::Fatal(error.into()))?;
            let page: Page<T> = match self.client.request(request).await {
                Ok(page) => page,
                Err(error) => return Err(self.refusal("list", resource, namespace, error)),
            };
            page.items.into_iter().for_each(&mut each);
            params.continue_token = page.metadata.r#continue.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) fn refusal(
        &self,
        verb: &str,
        resource: &Resource,
        namespace: Option<&str>,
        error: kube::Error,
    ) -> Refusal {
        let what = resource.full_name();
        let place = namespace.map_or_else(|| "the cluster".to_owned(), |name| format!("namespace {name}"));
        let url = &self.url;
        match error {
            kube::Error::Api(status) => match status.code {
                404 => Refusal::Unserved(format!(
                    "the API server does not know {what}: the CustomResourceDefinition is missing (`epiphyte crds` prints it)"
                )),
                // A quota, a policy and a namespace that is going away answer 403 too, but not for want of a right.
                403 if !is_want_of_a_right(&status.message) && !matches!(verb, "get" | "list") => {
                    Refusal::Fatal(anyhow!("the API server refuses to {verb} {what} in {place}: {}", status.message))
                }
                403 => Refusal::Forbidden(format!(
                    "not allowed to {verb} {what} in {place}: grant the verb {verb} on {what}"
                )),
                401 => {
                    Refusal::Fatal(anyhow!("the API server at {url} does not accept the credentials of the kubeconfig"))
                }
                _ => Refusal::Fatal(anyhow!("the API server at {url} cannot {verb} {what}: {}", status.message)),
            },
            kube::Error::SerdeError(error) => Refusal::Fatal(
                anyhow!(error).context(format!("cannot read what the API server at {url} says of {what}")),
            ),
            error => Refusal::Fatal(anyhow!(
                "cannot reach the API server at {url}: {}; check that it runs and that the kubeconfig is right",
                cause(&error)
            )),
        }
    }
}

/// The innermost of the errors that wrap each other: the one that says what happened.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().map(ToString::to_string).unwrap_or_default()
}
