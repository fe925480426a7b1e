//! Rendering the configuration of *events*, the reading of the manager's file included.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use epiphyte_telemetry_proxy::input;
use epiphyte_telemetry_proxy::render::{self, Events, Ground, MAX_TOKENS};
use serde_json::json;

use super::PART;
use super::manager::Tenants;
use super::place::Place;
use crate::report::{Figure, Row};
use crate::samples::{cpu, middle};

/// Renderings that the median is taken of.
const RENDERINGS: usize = 21;

/// Measures.
pub(super) fn measure() -> Result<Vec<Row>> {
    let ground = Place::new("https://upstream.example")?.ground;
    let folder = tempfile::tempdir()?;
    let (file, reversed) = (folder.path().join("namespaces.json"), folder.path().join("reversed.json"));
    let mut rows = Vec::new();
    for (namespaces, name) in [(10, "10 namespaces"), (1_000, "1,000 namespaces"), (10_000, "10,000 namespaces")] {
        let mut entries = Tenants { namespaces, tokens: namespaces.min(MAX_TOKENS), change: 0 }.namespaces();
        fs::write(&file, json!(entries).to_string())?;
        entries.reverse();
        fs::write(&reversed, json!(entries).to_string())?;
        let events = events(&ground, &file)?;
        ensure!(events.left_out.is_empty(), "there is no room for {name}");
        // Of the same namespaces, in whatever order they are listed.
        for again in [&file, &reversed] {
            ensure!(self::events(&ground, again)? == events, "{name} are not always rendered to the same bytes");
        }
        let times = (0..RENDERINGS).map(|_| cpu(|| drop(black_box(self::events(&ground, &file)))));
        let cost = Figure::Seconds(middle(times.collect()).context("nothing was measured")?);
        let row = Row::new(PART, format!("{name}: reading and rendering"), cost);
        rows.push(match namespaces {
            10_000 => row.at_most(Figure::Seconds(0.1)).peers("ceiling near 2,000"),
            _ => row,
        });
        let size = Figure::Bytes(events.configuration.len() as f64);
        rows.push(Row::new(PART, format!("{name}: the configuration"), size));
    }
    Ok(rows)
}

fn events(ground: &Ground, file: &Path) -> Result<Events> {
    let namespaces = input::namespaces(&fs::read(file)?)?.served;
    render::events(ground, &namespaces).context("there are no namespaces")
}
