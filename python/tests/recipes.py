"""Six recipes, each with what it replaces: `NAME` works on stores, `NAME_from_files` on the files that they were made of
or that were made of them. test_recipes.py compares the answers, tools/compare-python times both.
"""

import pathlib
import shutil

import duckdb
import numpy as np
import polars as pl

import transect

DATE, CODE = pl.col("date"), pl.col("code")
# Neither null nor NaN is a value of a factor; a rank is one among the stocks that have both.
SIZE, NEXT = pl.col("size").fill_nan(None), pl.col("next").fill_nan(None)
BOTH = SIZE.is_not_null() & NEXT.is_not_null()
Z = (SIZE - SIZE.mean()) / SIZE.std()
IC = pl.corr(SIZE.filter(BOTH).rank(), NEXT.filter(BOTH).rank())
VWAP = (pl.col("close") * pl.col("volume")).sum() / pl.col("volume").sum()
SQL = "select date, avg(close) as mean from {} where in_index group by date order by date"


class World:
    """Daily prices, minute bars and reports, with a file for each stock; as stores; and the daily ones by date."""

    def __init__(self, home, daily, bars, reports):
        self.home = pathlib.Path(home)
        for name, frame in {"daily": daily, "bars": bars, "reports": reports}.items():
            (self.home / name).mkdir()
            for (code,), rows in frame.group_by("code", maintain_order=True):
                rows.drop("code").write_parquet(self.home / name / f"{code}.parquet")
        transect.build(self.path("daily"), self.path("daily.store"), code_column="code")
        transect.build(self.path("bars"), self.path("bars.store"), key=["time"], code_column="code")
        reported = {"date_column": "ann_date", "key": ["period"], "code_column": "code"}
        transect.build(self.path("reports"), self.path("reports.store"), **reported)
        transect.transpose(self.path("daily.store"), self.path("by_date"))

    def path(self, name):
        return str(self.home / name)

    def store(self, name):
        return transect.open(self.path(f"{name}.store"))

    def files(self, name):
        """The rows of all files, lazily."""
        code = pl.col("path").str.extract(r"([^/]*)\.parquet$").alias("code")
        return pl.scan_parquet(f"{self.path(name)}/*.parquet", include_file_paths="path").with_columns(code).drop("path")

    def forget_factor(self):
        """Takes the factor's column away again."""
        if "vwap" in self.store("daily").columns:
            transect.drop_source(self.path("daily.store"), "vwap")

    def night(self, rows):
        """Tonight's rows come, in the store and in the files by date; those of yesterday are kept beside. An added
        factor goes, since yesterday's files lack it."""
        self.forget_factor()
        shutil.copytree(self.path("by_date"), self.path("yesterday"))
        transect.append(self.path("daily.store"), rows, source="daily")
        transect.transpose(self.path("daily.store"), self.path("by_date"))


def scores(world):
    """The z-score of a factor, and its rank correlation with the next return, on each date."""
    lazy = world.store("daily").lazy()
    return [
        lazy.select("date", "code", Z.over("date").alias("z")).collect(),
        lazy.group_by("date", maintain_order=True).agg(IC.alias("ic")).collect(),
    ]


def scores_from_files(world):
    frame = world.files("daily").select("date", "code", "size", "next").sort("date", "code").collect()
    return [
        frame.select("date", "code", Z.over("date").alias("z")),
        frame.group_by("date", maintain_order=True).agg(IC.alias("ic")),
    ]


def returns(world):
    """A matrix of returns, of who was a member on the date itself; none on the date after one without a row."""
    store = world.store("daily")
    close = store.matrix("close")
    returns = np.full(close.shape, np.nan)
    returns[1:] = close.values[1:] / close.values[:-1] - 1
    returns[~store.matrix("close", universe="in_index").present] = np.nan
    return returns


def returns_from_files(world):
    frame = world.files("daily").select("date", "code", "close", "in_index").collect().to_pandas()
    wide = frame.pivot(index="date", columns="code", values="close").pct_change(fill_method=None)
    members = frame.pivot(index="date", columns="code", values="in_index")
    return wide.where(members.eq(True)).to_numpy()


def factor(world):
    """The volume-weighted price of minute bars becomes a column of the daily store, without a file."""
    bars = world.store("bars").lazy()
    vwap = bars.group_by("date", "code").agg(VWAP.alias("vwap")).collect()
    transect.add_source(world.path("daily.store"), vwap, name="vwap")
    return world.store("daily").section(world.store("daily").dates[-1], ["vwap"]).to_polars()


def factor_from_files(world):
    """All daily files are written again."""
    vwap = world.files("bars").group_by("date", "code").agg(VWAP.alias("vwap")).collect()
    joined = world.files("daily").join(vwap.lazy(), on=["date", "code"], how="left").sort("code", "date").collect()
    folder = world.home / "daily_with_vwap"
    folder.mkdir(exist_ok=True)
    for (code,), rows in joined.group_by("code"):
        rows.drop("code").write_parquet(folder / f"{code}.parquet")
    last = joined.filter(DATE == DATE.max())
    return last.select("code", "date", "vwap").sort("code")


def changes(world):
    """What last night changed, as a frame."""
    return world.store("daily").diff(by="row").to_polars()


def changes_from_files(world):
    """Two copies of everything are compared."""
    before, after = (pl.read_parquet(f"{world.path(name)}/*.parquet") for name in ("yesterday", "by_date"))
    return after.join(before, on=after.columns, how="anti", nulls_equal=True)


def announced(world):
    """Reports joined to prices as they were known: most are published after the close, so that a date knows those of the
    dates before it. An old period that is amended later is no news about the latest."""
    known = world.store("reports").lazy().sort("ann_date")
    return _as_of(world.store("daily").lazy(), known)


def announced_from_files(world):
    return _as_of(world.files("daily"), world.files("reports").sort("ann_date", "code"))


def _as_of(prices, known):
    latest = known.filter(pl.col("period") == pl.col("period").cum_max().over("code"))
    columns = prices.select("date", "code", "close").sort("date", "code")
    keys = {"left_on": "date", "right_on": "ann_date", "by": "code"}
    joined = columns.join_asof(latest, **keys, allow_exact_matches=False, check_sortedness=False)
    return joined.select("date", "code", "close", "period", "profit").collect()


def sql(world):
    """The same panel in SQL."""
    scan = world.store("daily").scan(columns=["close", "in_index"])  # noqa: F841 - DuckDB finds it by its name
    return duckdb.sql(SQL.format("scan")).df()


def sql_from_files(world):
    return duckdb.sql(SQL.format(f"'{world.path('by_date')}/*.parquet'")).df()


# In this order: a factor is added before the night, which compares all columns.
RECIPES = {
    "z-scores and rank IC of all dates": (scores, scores_from_files),
    "a matrix of members' returns": (returns, returns_from_files),
    "a panel in SQL": (sql, sql_from_files),
    "reports as they were announced": (announced, announced_from_files),
    "a factor of minute bars": (factor, factor_from_files),
    "what last night changed": (changes, changes_from_files),
}
