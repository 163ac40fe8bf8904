//! Writes rows, batch by batch, in the formats of `show` and `diff --by`.

use std::io::{self, IsTerminal, Write};

use arrow_array::RecordBatch;
use arrow_cast::cast;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, FieldRef, SchemaRef};
use arrow_select::concat::{concat, concat_batches};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::args::RowFormat;
use super::cells::{Cells, Kind};
use super::output::{self, Out};
use super::table::{Align, Table};

/// Rows of a table, at most.
const ROWS: usize = 40;

/// Columns that a table always shows: code and date.
const KEYS: usize = 2;

impl RowFormat {
    /// `asked`, or what stdout is made for.
    ///
    /// # Errors
    /// Where `command`'s output would garble a terminal.
    pub fn for_stdout(command: &str, asked: Option<RowFormat>) -> anyhow::Result<RowFormat> {
        let is_terminal = io::stdout().is_terminal();
        let format = asked.unwrap_or(if is_terminal { RowFormat::Table } else { RowFormat::Csv });
        if is_terminal && matches!(format, RowFormat::Parquet | RowFormat::Arrow) {
            let what = "this format is not for a terminal; send the output to a file with > or to a program with |";
            return Err(super::usage(command, what));
        }
        Ok(format)
    }
}

/// Writes rows of one schema to stdout.
pub enum RowWriter<'a> {
    Table(&'a mut Out, Ends),
    Csv(&'a mut Out),
    Json(&'a mut Out),
    // Boxed, because they are far larger than the others.
    Parquet(Box<ArrowWriter<&'a mut Out>>),
    Arrow(Box<FileWriter<&'a mut Out>>),
    /// Arrow with dictionaries, of which a file has one for each column: the rows wait for the last.
    ArrowAtOnce(Box<FileWriter<&'a mut Out>>, SchemaRef, Vec<RecordBatch>),
}

impl<'a> RowWriter<'a> {
    /// Writes what comes before the rows.
    pub fn begin(format: RowFormat, schema: &SchemaRef, out: &'a mut Out) -> anyhow::Result<RowWriter<'a>> {
        Ok(match format {
            RowFormat::Table => RowWriter::Table(out, Ends::new(schema)),
            RowFormat::Csv => {
                Cells::new(&RecordBatch::new_empty(schema.clone()))?.write_csv_header(out)?;
                RowWriter::Csv(out)
            }
            RowFormat::Json => RowWriter::Json(out),
            RowFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_created_by(concat!("transect ", env!("CARGO_PKG_VERSION")).to_owned())
                    .set_compression(Compression::SNAPPY)
                    // Date64 as the date that it is, and not as a number.
                    .set_coerce_types(true)
                    .build();
                RowWriter::Parquet(Box::new(ArrowWriter::try_new(out, schema.clone(), Some(properties))?))
            }
            RowFormat::Arrow => {
                let writer = Box::new(FileWriter::try_new(out, schema)?);
                let is_coded = |field: &FieldRef| matches!(field.data_type(), DataType::Dictionary(..));
                match schema.fields().iter().any(is_coded) {
                    true => RowWriter::ArrowAtOnce(writer, schema.clone(), Vec::new()),
                    false => RowWriter::Arrow(writer),
                }
            }
        })
    }

    /// Writes the rows of `batch`.
    pub fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        match self {
            RowWriter::Table(_, ends) => ends.push(batch)?,
            RowWriter::Csv(out) => Cells::new(batch)?.write_csv(out)?,
            RowWriter::Json(out) => Cells::new(batch)?.write_json(out)?,
            RowWriter::Parquet(writer) => writer.write(batch)?,
            RowWriter::Arrow(writer) => writer.write(batch)?,
            RowWriter::ArrowAtOnce(.., batches) => batches.push(batch.clone()),
        }
        Ok(())
    }

    /// Writes what comes after the rows.
    pub fn finish(self) -> anyhow::Result<()> {
        match self {
            RowWriter::Table(out, ends) => {
                let is_terminal = io::stdout().is_terminal();
                let width = if is_terminal { output::terminal_width(io::stdout()) } else { usize::MAX };
                out.write_all(ends.table(width)?.as_bytes())?;
            }
            RowWriter::Csv(_) | RowWriter::Json(_) => {}
            RowWriter::Parquet(writer) => {
                writer.close()?;
            }
            RowWriter::Arrow(mut writer) => writer.finish()?,
            RowWriter::ArrowAtOnce(mut writer, schema, batches) => {
                if !batches.is_empty() {
                    writer.write(&with_one_dictionary_each(&schema, &batches)?)?;
                }
                writer.finish()?;
            }
        }
        Ok(())
    }
}

/// All rows, of which each text is in the dictionary of its column once.
fn with_one_dictionary_each(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let all = |(place, field): (usize, &FieldRef)| {
        let plain = match field.data_type() {
            DataType::Dictionary(_, texts) => texts.as_ref(),
            other => other,
        };
        let arrays = batches.iter().map(|batch| cast(batch.column(place), plain)).collect::<Result<Vec<_>, _>>()?;
        cast(&concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>())?, field.data_type())
    };
    RecordBatch::try_new(schema.clone(), schema.fields().iter().enumerate().map(all).collect::<Result<_, _>>()?)
}

/// The first and the last rows of all that were pushed: those that a table shows.
pub struct Ends {
    /// The first [`ROWS`].
    first: RecordBatch,
    /// The last half of [`ROWS`].
    last: RecordBatch,
    row_count: usize,
}

impl Ends {
    fn new(schema: &SchemaRef) -> Ends {
        let none = RecordBatch::new_empty(schema.clone());
        Ends { first: none.clone(), last: none, row_count: 0 }
    }

    fn push(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let tail = |batch: &RecordBatch| {
            let count = batch.num_rows().min(ROWS / 2);
            batch.slice(batch.num_rows() - count, count)
        };
        let schema = batch.schema();
        let room = (ROWS - self.first.num_rows()).min(batch.num_rows());
        self.first = concat_batches(&schema, [&self.first, &batch.slice(0, room)])?;
        self.last = tail(&concat_batches(&schema, [&self.last, &tail(batch)])?);
        self.row_count += batch.num_rows();
        Ok(())
    }

    /// A table of what fits; the last line says how much there is and how much of it is left out.
    fn table(&self, width: usize) -> anyhow::Result<String> {
        let hidden_rows = self.row_count.saturating_sub(ROWS);
        let shown = match hidden_rows {
            0 => self.first.clone(),
            _ => concat_batches(self.first.schema_ref(), [&self.first.slice(0, ROWS / 2), &self.last])?,
        };
        let cells = Cells::new(&shown)?;
        let columns = cells.columns()?;
        let align = |kind| if kind == Kind::Text { Align::Left } else { Align::Right };
        let mut table = Table::new(&columns.iter().map(|column| (column.name, align(column.kind))).collect::<Vec<_>>());
        let columns_of_cells =
            columns.iter().map(|column| column.table_cells(cells.row_count)).collect::<anyhow::Result<Vec<_>>>()?;
        for row in 0..cells.row_count {
            if hidden_rows > 0 && row == ROWS / 2 {
                table.push(columns.iter().map(|_| "...".to_owned()));
            }
            table.push(columns_of_cells.iter().map(|cells| cells[row].clone()));
        }
        let hidden_columns = table.fit(width, KEYS);
        let rows = |count: usize| output::counted(count as u64, "row", "rows");
        let cols = |count: usize| output::counted(count as u64, "column", "columns");
        let hidden = match (hidden_rows, hidden_columns) {
            (0, 0) => String::new(),
            (count, 0) => format!("; {} not shown", rows(count)),
            (0, count) => format!("; {} not shown", cols(count)),
            (r, c) => format!("; {} and {} not shown", rows(r), cols(c)),
        };
        Ok(format!("{table}[{} x {}{hidden}]\n", rows(self.row_count), cols(columns.len())))
    }
}
