//! Watched objects, read for the one fact that the index wants of them.

use std::borrow::Cow;
use std::fmt::Debug;

use kube::Resource;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::index::{Fact, ObjectKey};

/// How the API server serves a kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) plural: &'static str,
}

/// A fact that is read from objects of one kind.
pub(crate) trait Watched: Fact + Clone + Debug + Send + Sync + 'static {
    /// How the API server serves the kind.
    const SERVED: Served;
    /// Whether objects may be of a shape that cannot be read: those of CustomResourceDefinitions that somebody else may
    /// have installed. Such an object is skipped with a warning; reading them twice costs too much for the kinds that the
    /// API server itself vouches for.
    const GUARDED: bool;
    /// What of the object is read at all.
    type Manifest: DeserializeOwned;
    /// The fact in the object.
    fn read(manifest: Self::Manifest) -> Self;
    /// Version of the object, where the manifest told.
    fn resource_version(manifest: &Self::Manifest) -> &str;
}

/// A watched object, as far as it could be read.
#[derive(Clone, Debug)]
pub(crate) struct Object<T> {
    /// Name, namespace and version only.
    metadata: ObjectMeta,
    /// What it says, or why that could not be read.
    pub(crate) fact: Result<T, String>,
}

impl<T> Object<T> {
    /// Namespace and name of the object.
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey {
            namespace: self.metadata.namespace.as_deref().unwrap_or_default().into(),
            name: self.metadata.name.as_deref().unwrap_or_default().into(),
        }
    }
}

/// Metadata of an object that could not be read otherwise.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unread {
    metadata: UnreadMetadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct UnreadMetadata {
    name: String,
    namespace: String,
    resource_version: String,
}

impl<'de, T: Watched> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !T::GUARDED {
            return T::Manifest::deserialize(deserializer).map(Self::of);
        }
        let value = serde_json::Value::deserialize(deserializer)?;
        T::Manifest::deserialize(&value).map(Self::of).or_else(|error| {
            let UnreadMetadata { name, namespace, resource_version } =
                Unread::deserialize(&value).map_err(D::Error::custom)?.metadata;
            let key = ObjectKey { namespace: namespace.into(), name: name.into() };
            Ok(Self { metadata: metadata(&key, &resource_version), fact: Err(error.to_string()) })
        })
    }
}

impl<T: Watched> Object<T> {
    fn of(manifest: T::Manifest) -> Self {
        let version = T::resource_version(&manifest).to_owned();
        let fact = T::read(manifest);
        Self { metadata: metadata(&fact.key(), &version), fact: Ok(fact) }
    }
}

fn metadata(key: &ObjectKey, version: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(key.name.to_string()),
        namespace: Some(key.namespace.to_string()).filter(|namespace| !namespace.is_empty()),
        resource_version: Some(version.to_owned()),
        ..ObjectMeta::default()
    }
}

impl<T: Watched> Serialize for Object<T> {
    /// Objects are read only; kube's bounds ask for this.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.metadata.serialize(serializer)
    }
}

impl<T: Watched> Resource for Object<T> {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        T::SERVED.kind.into()
    }

    fn group((): &()) -> Cow<'_, str> {
        T::SERVED.group.into()
    }

    fn version((): &()) -> Cow<'_, str> {
        T::SERVED.version.into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        T::SERVED.plural.into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}
