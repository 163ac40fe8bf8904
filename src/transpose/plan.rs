//! What a transpose writes, decided from the store's metadata alone.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::{Field, FieldRef, Schema, SchemaRef};

use super::names::{Names, carries, columns};
use super::shape::Shape;
use crate::error::{Error, Result};
use crate::panel::{DateForm, PanelSchema};
use crate::remedy::{Remedy, Setting, excluding};
use crate::store::Store;

/// A shape, resolved against one store.
pub(super) struct Plan {
    /// The panel columns to write, as indices, in panel order.
    pub(super) columns: Vec<usize>,
    /// Schema of every file.
    pub(super) schema: SchemaRef,
    /// Name and type of every column, as the ledger spells them; the date's with the spelling of its values.
    pub(super) fields: Vec<(String, String)>,
    /// Whether files have the date column.
    pub(super) date: bool,
    /// How dates are spelt.
    pub(super) date_form: DateForm,
    /// Whether no code stands in a file twice: the key has no further columns.
    pub(super) is_code_unique: bool,
    /// The numbers of the stocks to write; `None` writes all.
    pub(super) stocks: Option<HashSet<i32>>,
    /// Where each file lies.
    pub(super) names: Names,
}

impl Plan {
    /// Resolves `shape`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a column or a stock that the store lacks, and [`Error::Invalid`] where the code or the
    /// date is to be excluded.
    pub(super) fn new(store: &Store, shape: &Shape) -> Result<Plan> {
        let panel = store.schema()?;
        refuse_without_key(shape, panel)?;
        for name in shape.columns.iter().flatten().chain(&shape.exclude) {
            panel.find(name)?;
        }
        let keeps = |name: &String| {
            shape.columns.as_ref().is_none_or(|columns| columns.contains(name)) && !shape.exclude.contains(name)
        };
        let columns: Vec<usize> = (0..panel.columns.len()).filter(|&index| keeps(&panel.columns[index].name)).collect();
        let all = panel.arrow();
        let date = shape.has_date(panel);
        let kept = [0].into_iter().chain(date.then_some(1)).chain(columns.iter().map(|index| index + 2));
        let schema = Schema::new(kept.map(|index| all.field(index).clone()).collect::<Vec<Field>>());
        refuse_twice(shape, panel, &schema)?;
        let spelt = |(place, field): (usize, &FieldRef)| {
            let is_date = date && place == 1;
            let kind = if is_date { panel.date_form.to_string() } else { field.data_type().to_string() };
            (field.name().clone(), kind)
        };
        let fields = schema.fields().iter().enumerate().map(spelt).collect();
        let stocks = shape.stocks.as_ref().map(|codes| {
            codes.iter().map(|code| store.stock(code).map(|stock| stock.0 as i32)).collect::<Result<HashSet<i32>>>()
        });
        Ok(Plan {
            columns,
            schema: Arc::new(schema),
            fields,
            date,
            date_form: panel.date_form.clone(),
            is_code_unique: panel.key.is_empty(),
            stocks: stocks.transpose()?,
            names: Names::of(shape.file_name(), panel),
        })
    }
}

/// The code and the date are no columns to choose from.
fn refuse_without_key(shape: &Shape, panel: &PanelSchema) -> Result<()> {
    let refuse =
        |why: String, way_out: Vec<Remedy>| Err(Error::invalid(Setting::Exclude(shape.exclude.clone()), why, way_out));
    if shape.exclude.contains(&panel.code.name) {
        let why = format!("names the code column {:?}, which tells the rows of a file apart", panel.code.name);
        return refuse(why, Vec::new());
    }
    if shape.exclude.contains(&panel.date_name) {
        let why = format!("names the date column {:?}, which is no column of the panel", panel.date_name);
        return refuse(why, vec![Remedy::set(Setting::NoDate, "leaves it out")]);
    }
    Ok(())
}

/// A column that is in the files and in their path would be two to some readers, and no two read the same.
fn refuse_twice(shape: &Shape, panel: &PanelSchema, schema: &Schema) -> Result<()> {
    let pattern = shape.file_name();
    let text = pattern.to_string();
    // That the path carries the date is no accident; whoever wants the column too has asked for it.
    let is_asked = |name: &str| *name == panel.date_name && carries(&pattern, name);
    let names = schema.fields().iter().map(|field| field.name().as_str()).filter(|name| !is_asked(name));
    let twice = |name: &&str| columns(&text).any(|(key, _)| key.eq_ignore_ascii_case(name));
    let Some(name) = names.into_iter().find(twice) else { return Ok(()) };
    let without = match name {
        code if *code == panel.code.name => None,
        date if *date == panel.date_name => Some(Remedy::set(Setting::NoDate, "leaves the date column out")),
        other => Some(excluding(&[other])),
    };
    let what =
        format!("readers take the directory {name}=... of {text:?} for the column {name:?}, which the files have too");
    let rename = Remedy::Do("give the directory another name".to_owned());
    Err(Error::refused_unless(what, [rename].into_iter().chain(without).collect::<Vec<_>>()))
}
