//! The engine alone, on one thread: reviewing a workload under admission, and the parts of that.

use std::hint::black_box;

use anyhow::{Context as _, Result, ensure};
use epiphyte_api::WorkloadKind::Deployment;
use epiphyte_operator::admission::{self, Readiness};
use epiphyte_operator::index::Index;
use epiphyte_operator::settings::Settings;
use epiphyte_plan::{Manifest, Verdict, Workload};
use epiphyte_surgery::{Operation, Rendering};
use jiff::Timestamp;
use parking_lot::RwLock;
use serde_json::Value;

use crate::manifests::{self, Shape, deployment, review, stored};
use crate::report::{Figure, KIB, Row};
use crate::samples::{cpu, middle};

const PART: &str = "plan+surgery";

/// The namespace that a Lumigo turns on, and the one that nothing does.
const ON: &str = "shop";
const OFF: &str = "attic";

/// Batches that the median is taken of.
const BATCHES: usize = 51;

/// CPU time of a batch, in seconds: long against the clock's own cost.
const BATCH: f64 = 0.005;

/// Measures.
pub(crate) fn measure() -> Result<Vec<Row>> {
    let index = index()?;
    let (one, ten, hundred) = (Shape::new(1, 5), Shape::new(10, 40), Shape::new(100, 40));
    let mut rows = Vec::new();
    for (name, shape) in [("1x5", one), ("10x40", ten), ("100x40", hundred)] {
        let object = deployment(ON, "cart", shape);
        let edit = instrument(&index, &object)?;
        ensure!(edit.refused.is_empty() && !edit.patch.is_empty(), "the engine does not instrument {name}");
        let size = Row::new(PART, format!("{name}: the patch"), bytes(serde_json::to_vec(&edit.patch)?.len()));
        rows.push(match name {
            "1x5" => size.at_most(Figure::Bytes(2.0 * KIB)).peers("2.0 to 3.7 KB"),
            "10x40" => size.at_most(Figure::Bytes(13.0 * KIB)).peers("12.9 to 100 KB"),
            _ => size,
        });
        let body = review(&stored(object)).to_string();
        let cost = median(|| drop(black_box(admission::review(body.as_bytes(), &index, Readiness::Ready))));
        rows.push(Row::new(PART, format!("{name}: the review that makes it"), Figure::Seconds(cost)));
    }
    let surgery = Row::new(PART, "10x40: surgery alone", Figure::Seconds(surgery(&index, ten)?));
    rows.push(surgery.at_most(Figure::Seconds(500e-6)));

    let text = stored(deployment(OFF, "cart", ten)).to_string();
    let cost = median(|| drop(black_box(read(black_box(&text)))));
    rows.push(Row::new(PART, "10x40 to leave alone: read", Figure::Seconds(cost)));
    let workload = read(&text)?;
    let cost = median(|| {
        let verdict = index.read().plan(black_box(&workload), None);
        black_box(verdict.differs_from(&workload));
    });
    rows.push(Row::new(PART, "10x40 to leave alone: once read", Figure::Seconds(cost)).at_most(Figure::Seconds(10e-6)));
    Ok(rows)
}

/// What the operator knows: a namespace with an Active Lumigo, and one without.
fn index() -> Result<RwLock<Index>> {
    let mut index = Index::new(&Settings::default(), crate::cluster::SYSTEM);
    let mut lumigo = manifests::lumigo(ON);
    if let Some(lumigo) = lumigo.as_object_mut() {
        lumigo.insert("status".to_owned(), manifests::active());
    }
    let now = Timestamp::UNIX_EPOCH;
    epiphyte_operator::learn(&mut index, &lumigo, now)?;
    epiphyte_operator::complete(&mut index, now);
    Ok(RwLock::new(index))
}

fn read(text: &str) -> Result<Workload> {
    Ok(serde_json::from_str::<Manifest>(text)?.into_workload(Deployment))
}

fn plan(index: &RwLock<Index>, object: &Value) -> Result<(Verdict, Rendering)> {
    let workload = read(&object.to_string())?;
    let index = index.read();
    Ok((index.plan(&workload, None), index.rendering(&workload)))
}

fn instrument(index: &RwLock<Index>, object: &Value) -> Result<Operation> {
    let (verdict, rendering) = plan(index, object)?;
    Ok(epiphyte_surgery::operate(Deployment, &mut object.clone(), &verdict, &rendering)?)
}

/// CPU time of an edit, in seconds. The copies that are edited are made beforehand.
fn surgery(index: &RwLock<Index>, shape: Shape) -> Result<f64> {
    let object = deployment(ON, "cart", shape);
    let (verdict, rendering) = plan(index, &object)?;
    let samples = (0..BATCHES).map(|_| {
        let mut copies = vec![object.clone(); 10];
        let edits = cpu(|| {
            for copy in &mut copies {
                // Instrumented once above already.
                let _ = black_box(epiphyte_surgery::operate(Deployment, copy, &verdict, &rendering));
            }
        });
        edits / 10.0
    });
    middle(samples.collect()).context("nothing was measured")
}

/// CPU time of a call, in seconds: the median over batches of calls.
fn median(mut call: impl FnMut()) -> f64 {
    let mut calls = 1_u32;
    while cpu(|| (0..calls).for_each(|_| call())) < BATCH && calls < 1 << 20 {
        calls *= 2;
    }
    let samples = (0..BATCHES).map(|_| cpu(|| (0..calls).for_each(|_| call())) / f64::from(calls));
    middle(samples.collect()).unwrap_or(f64::NAN)
}

fn bytes(count: usize) -> Figure {
    Figure::Bytes(count as f64)
}
