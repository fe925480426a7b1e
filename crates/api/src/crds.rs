//! The CustomResourceDefinitions, as `epiphyte crds` prints them.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt as _;

use crate::names::{PART_OF, PART_OF_LABEL};
use crate::{CollectorsGroup, InstrumentedApplication, Lumigo, Source};

/// All CustomResourceDefinitions of Epiphyte.
pub fn custom_resource_definitions() -> Vec<CustomResourceDefinition> {
    let mut crds = vec![CollectorsGroup::crd(), InstrumentedApplication::crd(), Source::crd(), lumigo()];
    for crd in &mut crds {
        // By which uninstalling knows what came with us.
        crd.metadata.labels = Some([(PART_OF_LABEL.to_owned(), PART_OF.to_owned())].into());
    }
    crds
}

/// `Lumigo` is stored as `v1` and served as `v1alpha1` too, with the same schema, for objects of the original operator.
fn lumigo() -> CustomResourceDefinition {
    let mut crd = Lumigo::crd();
    let older = crd.spec.versions.first().cloned().map(|mut version| {
        version.name = "v1alpha1".to_owned();
        version.storage = false;
        version
    });
    crd.spec.versions.extend(older);
    crd
}

/// The definitions as one YAML stream.
///
/// # Errors
/// Fails only if a schema cannot be written as YAML, which is a defect of this build.
pub fn to_yaml(crds: &[CustomResourceDefinition]) -> Result<String, yaml_serde::Error> {
    let mut stream = String::new();
    for crd in crds {
        stream.push_str("---\n");
        stream.push_str(&yaml_serde::to_string(crd)?);
    }
    Ok(stream)
}
