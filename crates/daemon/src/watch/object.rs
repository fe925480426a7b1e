//! Watched objects, read for what somebody wants of them.

use std::borrow::Cow;
use std::fmt::Debug;

use kube::Resource;
use kube::core::{NamespaceResourceScope, ObjectMeta};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};

/// Namespace and name of an object; the namespace is empty for one of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Namespace of the object.
    pub namespace: Box<str>,
    /// Name of the object.
    pub name: Box<str>,
}

/// How the API server serves a kind.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The version of the group.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The resource, which is the kind's plural.
    pub plural: &'static str,
}

/// What is wanted of the objects of one kind.
pub trait Watched: Clone + Debug + Send + Sync + 'static {
    /// How the API server serves the kind.
    const SERVED: Served;
    /// Whether objects may be of a shape that cannot be read: those of CustomResourceDefinitions that somebody else may
    /// have installed. Such an object is skipped with a warning; reading them twice costs too much for the kinds that the
    /// API server itself vouches for.
    const GUARDED: bool;
    /// What of the object is read at all.
    type Manifest: DeserializeOwned + Named;
    /// What is wanted of it.
    fn read(manifest: Self::Manifest) -> Self;
}

/// Says which object it is, and which version of it.
pub trait Named {
    /// Namespace and name of the object.
    fn key(&self) -> ObjectKey;
    /// Version of the object, where the manifest told.
    fn resource_version(&self) -> &str;
}

/// A watched object, as far as it could be read.
#[derive(Clone, Debug)]
pub struct Object<T> {
    /// Name, namespace and version only.
    metadata: ObjectMeta,
    /// What it says, or why that could not be read.
    pub content: Result<T, String>,
}

impl<T> Object<T> {
    /// Namespace and name of the object.
    pub fn key(&self) -> ObjectKey {
        ObjectKey {
            namespace: self.metadata.namespace.as_deref().unwrap_or_default().into(),
            name: self.metadata.name.as_deref().unwrap_or_default().into(),
        }
    }
}

/// Of an object that cannot be read otherwise, what names it.
#[derive(Deserialize)]
struct Unread {
    metadata: UnreadMetadata,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct UnreadMetadata {
    name: Box<str>,
    namespace: Box<str>,
    resource_version: Box<str>,
}

impl Named for Unread {
    fn key(&self) -> ObjectKey {
        ObjectKey { namespace: self.metadata.namespace.clone(), name: self.metadata.name.clone() }
    }

    fn resource_version(&self) -> &str {
        &self.metadata.resource_version
    }
}

impl<'de, T: Watched> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !T::GUARDED {
            return T::Manifest::deserialize(deserializer).map(Self::of);
        }
        let value = serde_json::Value::deserialize(deserializer)?;
        T::Manifest::deserialize(&value).map(Self::of).or_else(|error| {
            let unread = Unread::deserialize(&value).map_err(D::Error::custom)?;
            Ok(Self { metadata: metadata(&unread), content: Err(error.to_string()) })
        })
    }
}

impl<T: Watched> Object<T> {
    fn of(manifest: T::Manifest) -> Self {
        Self { metadata: metadata(&manifest), content: Ok(T::read(manifest)) }
    }
}

fn metadata(named: &impl Named) -> ObjectMeta {
    let ObjectKey { namespace, name } = named.key();
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some(namespace.into()).filter(|namespace: &String| !namespace.is_empty()),
        resource_version: Some(named.resource_version().to_owned()),
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

#[cfg(test)]
mod tests {
    use kube::ResourceExt as _;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::{Named, Object, ObjectKey, Served, Watched};

    #[derive(Deserialize)]
    struct Manifest {
        metadata: Metadata,
        size: u8,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Metadata {
        name: Box<str>,
        resource_version: String,
    }

    impl Named for Manifest {
        fn key(&self) -> ObjectKey {
            ObjectKey { namespace: "".into(), name: self.metadata.name.clone() }
        }

        fn resource_version(&self) -> &str {
            &self.metadata.resource_version
        }
    }

    #[derive(Clone, Debug)]
    struct Size<const GUARDED: bool>(u8);

    impl<const GUARDED: bool> Watched for Size<GUARDED> {
        const SERVED: Served = Served { group: "a", version: "v1", kind: "Shoe", plural: "shoes" };
        const GUARDED: bool = GUARDED;
        type Manifest = Manifest;

        fn read(manifest: Manifest) -> Self {
            Self(manifest.size)
        }
    }

    fn shoe(size: &Value) -> Value {
        json!({ "metadata": { "name": "left", "resourceVersion": "7" }, "size": size })
    }

    #[test]
    fn an_object_of_the_cluster_has_no_namespace() {
        let object: Object<Size<true>> = serde_json::from_value(shoe(&json!(42))).unwrap();
        assert_eq!((object.name_any().as_str(), object.namespace()), ("left", None));
        assert_eq!(object.resource_version().as_deref(), Some("7"));
        assert_eq!(object.content.unwrap().0, 42);
    }

    #[test]
    fn an_object_that_cannot_be_read_is_known_by_name_where_that_may_be() {
        let object: Object<Size<true>> = serde_json::from_value(shoe(&json!("large"))).unwrap();
        assert_eq!(object.key(), ObjectKey { namespace: "".into(), name: "left".into() });
        assert_eq!(object.resource_version().as_deref(), Some("7"));
        assert!(object.content.unwrap_err().contains("large"));
        assert!(serde_json::from_value::<Object<Size<false>>>(shoe(&json!("large"))).is_err());
    }
}
