//! Charts as tests need them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::scene::Scene;

/// The name of every chart, and the beginning of what it consists of.
pub const CHART: &str = "plant";

/// A version of a chart: by itself a ConfigMap with values in it, and a Secret.
pub struct Chart {
    name: &'static str,
    version: &'static str,
    values: Value,
    templates: Vec<(&'static str, String)>,
    schema: Option<Value>,
}

impl Chart {
    pub fn new(version: &'static str) -> Self {
        let config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-config}\n\
                      data: {color: {{ .Values.color | quote }}, size: {{ .Values.size | quote }}, version: {{ .Chart.Version | quote }}, \
                      login: {{ printf \"user with %s\" .Values.token | quote }}}\n";
        let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}-secret}\n\
                      stringData: {token: {{ .Values.token | quote }}, version: {{ .Chart.Version | quote }}}\n";
        Self {
            name: CHART,
            version,
            values: json!({ "color": "green", "size": 1, "token": "" }),
            templates: vec![("config.yaml", config.to_owned()), ("secret.yaml", secret.to_owned())],
            schema: None,
        }
    }

    /// Another name.
    pub fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// Other defaults.
    pub fn values(mut self, values: Value) -> Self {
        self.values = values;
        self
    }

    /// One more template.
    pub fn template(mut self, file: &'static str, text: impl Into<String>) -> Self {
        self.templates.push((file, text.into()));
        self
    }

    /// What values are accepted.
    pub fn schema(mut self, schema: Value) -> Self {
        self.schema = Some(schema);
        self
    }

    /// A Deployment that never has the pod that it wants.
    pub fn that_fails(self) -> Self {
        self.template("deployment.yaml", deployment(""))
    }

    /// A Deployment whose pods the API server refuses, and says why.
    pub fn that_is_refused(self) -> Self {
        self.template("deployment.yaml", deployment("serviceAccountName: nobody-made-it, "))
    }

    /// Its archive, in a folder.
    pub fn package(&self, scene: &Scene, folder: &Path) -> PathBuf {
        self.package_with(scene, folder, &[])
    }

    pub fn package_with(&self, scene: &Scene, folder: &Path, arguments: &[&str]) -> PathBuf {
        let source = tempfile::tempdir().expect("a folder");
        let chart = source.path().join(self.name);
        fs::create_dir_all(chart.join("templates")).expect("a folder");
        let write = |file: &str, text: &str| fs::write(chart.join(file), text).expect("a file");
        write("Chart.yaml", &json!({ "apiVersion": "v2", "name": self.name, "version": self.version }).to_string());
        write("values.yaml", &self.values.to_string());
        if let Some(schema) = &self.schema {
            write("values.schema.json", &schema.to_string());
        }
        for (file, text) in &self.templates {
            write(&format!("templates/{file}"), text);
        }
        let (chart, into) = (chart.display().to_string(), folder.display().to_string());
        scene.helm(&[&["package", &chart, "--destination", &into], arguments].concat());
        folder.join(format!("{}-{}.tgz", self.name, self.version))
    }
}

fn deployment(of_pods: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {{{{ .Release.Name }}}}-app}}\nspec:\n  selector: {{matchLabels: {{app: x}}}}\n  \
         template: {{metadata: {{labels: {{app: x}}}}, spec: {{{of_pods}containers: [{{name: main, image: example.com/none}}]}}}}\n"
    )
}
