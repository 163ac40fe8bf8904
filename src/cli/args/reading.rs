//! What can be typed to say how files are found and read.

use crate::source::{
    BadDates, Cast, CodeTemplate, Duplicates, Epoch, FilesBy, Ignore, InputFormat, Pattern, Rename, Roll,
};
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueHint};

use super::super::groups::{COLUMNS, DATES, FILES, STOPS};
use super::super::words::{Names, one_of};

/// How the files of a source are found and read.
#[derive(Debug, Args)]
pub struct Reading {
    /// The format of the files: parquet, arrow or csv
    ///
    /// Arrow is IPC, as a file or as a stream, compressed or not; that is Feather of version 2, for which --pattern
    /// '{code}.feather' is needed. A csv file has a line of names and fields between commas, in UTF-8. A column is of
    /// numbers, true and false, or text by what all files have in it; what begins with a zero, such as 000001, is text, and
    /// so is a number that a double does not hold; an empty field is null. --cast decides otherwise.
    #[arg(long, value_name = "FORMAT", default_value_t, value_parser = one_of::<InputFormat>(&["parquet", "arrow", "csv"]))]
    #[arg(help_heading = FILES)]
    pub input: InputFormat,

    /// What each file is of: stock or date
    ///
    /// By date a file has the rows of all stocks on one date, with their codes in a column (see --code-column). Its name
    /// says which date: 20240102 or 2024-01-02, or a month or a year, of whose dates its rows are then. A date column
    /// must agree with the name; a file of one date needs none.
    #[arg(long, value_name = "WHAT", default_value_t, value_parser = one_of::<FilesBy>(&["stock", "date"]))]
    #[arg(help_heading = FILES)]
    pub files_by: FilesBy,

    /// Where the files lie below SRC, with {code} in it [default: {code}.parquet, or {date}.csv and the like]
    ///
    /// The stock's code is what {code} stands for. Any relative path will do, such as 'code={code}/data.parquet', and
    /// further names in braces stand for what else varies: '{exchange}/{code}.parquet', '{code}/{year}.parquet'; {*} stands
    /// for anything. Several files of a code are one stock's and are read together: when one has changed, all are, and
    /// when one is gone or cannot be used, the stock stays as it was. A row that two of them have is a duplicate (see
    /// --duplicates). The value of a key=value directory is percent-decoded: symbol=BTC%2FUSDT is BTC/USDT. For files by
    /// date {date} stands for the date, or {year}, {month} and {day} do: '{date}/{*}.parquet',
    /// 'year={year}/month={month}/{*}.parquet'.
    #[arg(long, value_name = "PATTERN", help_heading = FILES)]
    pub pattern: Option<Pattern>,

    /// How the code is made of the names in the pattern, such as '{code}.{exchange}'
    ///
    /// For stocks of one name in two folders, which are refused without this unless only a time tells them apart.
    /// '{code}' takes them for files of one stock.
    #[arg(long, value_name = "TEMPLATE", help_heading = FILES, hide_short_help = true)]
    pub code_template: Option<CodeTemplate>,

    /// Which codes of the files stand for which others, a csv, Parquet or Arrow file
    ///
    /// With the columns from and to: 000001.XSHE for 000001.SZ, FB for META; and, if need be, valid_from and until, the
    /// first and the last date on which it is so. Codes that it does not name stay. Rows of two codes that stand for one
    /// are one stock's; where both have a row of one key, they are duplicates (see --duplicates). The store remembers the
    /// file and reads it anew each time: where it has changed, the files that it touches are read again. Rows that `transect
    /// append` brings have the codes of the store.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = FILES, hide_short_help = true)]
    pub code_map: Option<String>,

    /// Leave out files that the pattern finds; may be repeated
    ///
    /// A glob of names such as '_*' or 'index.parquet', or with a slash of paths below SRC. The store remembers it.
    #[arg(long, value_name = "GLOB", help_heading = FILES, hide_short_help = true)]
    pub ignore: Vec<Ignore>,

    /// Name of the output's column for the code
    ///
    /// A file that has this column must agree with its name, else it is skipped. Without this, the code is the files' own
    /// column where one of text has it in every row of every file, else ts_code. Of files by date it is the column that
    /// holds the codes; without this, ts_code, code, symbol, ticker or another usual name.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = FILES, hide_short_help = true)]
    pub code_column: Option<String>,

    /// The date column, or alternatives for it
    ///
    /// The first one present in a file is its date column; the first of the list names the output's column. Without
    /// this, the date is trade_date, date or datetime in any case, or a pandas index of dates.
    #[arg(long, value_name = "A,B,...", help_heading = DATES)]
    pub date_column: Vec<Names>,

    /// Name of the output's date column
    ///
    /// By default that of the files. A date column that --key names stays as it is, and the date gets a column of its
    /// own: date, or trade_date where the files have a date.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = DATES, hide_short_help = true)]
    pub date_name: Option<String>,

    /// How dates in text are spelt, if not in a usual way
    ///
    /// A strftime format such as '%d-%b-%Y', with a time of day and an offset (%z) if need be; names of weekdays (%A)
    /// may be of any language, and an English one must be the date's. Text as 20240102, 2024-01-02 or 2024/01/02, with
    /// or without a time and an offset, integers as 20240102 or 20240102093000, dates and timestamps are read without
    /// it. The output spells dates as most files do, as date32 where two ways are as usual or the files say more than a
    /// date;
    /// --cast COL=TYPE decides on another type, and text is then spelt as in the files that have text, else 2024-01-02.
    #[arg(long, value_name = "FORMAT", help_heading = DATES, hide_short_help = true)]
    pub date_format: Option<String>,

    /// What numbers in the date column count since 1970, in UTC
    #[arg(long, value_name = "UNIT", value_parser = one_of::<Epoch>(&["s", "ms", "us", "ns", "days"]))]
    #[arg(help_heading = DATES, hide_short_help = true)]
    pub epoch: Option<Epoch>,

    /// On whose clocks an instant is a date, such as Asia/Shanghai or +08:00
    ///
    /// For stamps with a zone, text with an offset, and counts since 1970. By default they are read on their own clocks,
    /// counts on those of UTC. Stamps that name no zone are what clocks showed, and stay as they are (see --naive-zone).
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = DATES, hide_short_help = true)]
    pub zone: Option<String>,

    /// The zone of stamps that name none, so that --zone shifts them, too
    #[arg(long, value_name = "ZONE", value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = DATES, hide_short_help = true)]
    pub naive_zone: Option<String>,

    /// Leave out the time of day in the date column
    ///
    /// For daily bars stamped at their open. Two rows of one date are duplicates then, whatever their times. A time of day
    /// refuses its file unless one of three helps: --zone says on whose clocks it is midnight, --drop-time leaves it out,
    /// or --key names the column and keeps it.
    #[arg(long, help_heading = DATES, hide_short_help = true)]
    pub drop_time: bool,

    /// From which time of the day on rows belong to the next trading date, such as 20:30
    ///
    /// For night sessions, which are noted under the date on which they begin: Friday's are of Monday. The date column
    /// stays what it is, and must be in the key (see --key), as must the column with the time, where that is another one.
    /// The panel's dates are trading dates then: those of --calendar, else those on which some file has a row before that
    /// time. A session that goes on after midnight needs a calendar. Rows whose trading date is not known yet are counted,
    /// and wait for an update that knows it.
    #[arg(long, value_name = "HH:MM", help_heading = DATES, hide_short_help = true)]
    pub roll: Option<Roll>,

    /// The trading dates, a csv, Parquet or Arrow file with a column of dates
    ///
    /// The column is trade_date, cal_date, date or the only one; where there is a column is_open, its rows with 0 are no
    /// trading dates. The store remembers the file and reads it anew each time.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "roll")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    #[arg(help_heading = DATES, hide_short_help = true)]
    pub calendar: Option<String>,

    /// Further columns of a row's key, beside code and date
    ///
    /// For panels that have several rows a date and stock: bars by their time, reports by their period. Integers,
    /// decimals, dates, times, booleans and text, but no floats, of which nobody knows which are the same: --cast makes
    /// decimals of them; the first column counts most. Such columns stay where they are in outputs, and
    /// rows of one stock and date are ordered by them. A date column with a time of day may be one of them (see
    /// --date-name).
    #[arg(long, value_name = "COL,...", help_heading = COLUMNS)]
    pub key: Vec<Names>,

    /// What to do where a stock has two differing rows of one key
    ///
    /// error skips the file; first and last keep that row in file order, of several files in the order of their paths.
    /// Identical rows are always merged and counted.
    #[arg(long, value_name = "WHAT", default_value_t, value_parser = one_of::<Duplicates>(&["error", "first", "last"]))]
    #[arg(help_heading = COLUMNS)]
    pub duplicates: Duplicates,

    /// What to do with a row whose date is null or unreadable
    ///
    /// error skips the file; drop leaves the row out and counts it.
    #[arg(long, value_name = "WHAT", default_value_t, value_parser = one_of::<BadDates>(&["error", "drop"]))]
    #[arg(help_heading = DATES, hide_short_help = true)]
    pub bad_dates: BadDates,

    /// Keep only these columns, besides code and date
    #[arg(long, value_name = "COL,COL", help_heading = COLUMNS)]
    pub columns: Option<Vec<Names>>,

    /// Leave these columns out
    ///
    /// A comma in a column's name is written \, here and wherever columns are named, and a backslash before one \\.
    #[arg(long, value_name = "COL,COL", help_heading = COLUMNS)]
    pub exclude: Vec<Names>,

    /// Decide on a column's type by hand; may be repeated
    ///
    /// For columns whose types differ between files in a way that loses nothing only by your word: --cast
    /// volume=float64, --cast 'price=decimal128(20,4)', --cast 'time=timestamp[ns]'. Values are rounded to what TYPE
    /// holds: digits of a float or after a decimal's point, and of timestamps what is finer than its unit is cut. A
    /// value that TYPE does not hold refuses its file: one beyond its range, a fraction as an integer, a time of day as
    /// a date, a clock time that a zone skips or shows twice, a text with a finer time than TYPE has, and, where TYPE
    /// has no zone, an instant on other clocks than UTC's. Integers as dates and times count days or units since 1970,
    /// in UTC.
    #[allow(rustdoc::broken_intra_doc_links, reason = "the help shows a type's brackets as they are typed")]
    #[arg(long, value_name = "COL=TYPE", help_heading = COLUMNS)]
    pub cast: Vec<Cast>,

    /// Give a column another name; may be repeated
    ///
    /// All other options name columns as the files have them.
    #[arg(long, value_name = "OLD=NEW", help_heading = COLUMNS, hide_short_help = true)]
    pub rename: Vec<Rename>,

    /// Words that stand for a null in csv, such as NA,N/A; an empty field is one already
    ///
    /// A field that is exactly such a word is null, in every column. Without it, a word among numbers makes their column
    /// text, and a note says so.
    #[arg(long, value_name = "WORD,WORD", help_heading = COLUMNS, hide_short_help = true)]
    pub null: Vec<Names>,

    /// Change nothing if any input would be skipped
    #[arg(long, help_heading = STOPS, hide_short_help = true)]
    pub strict: bool,
}
