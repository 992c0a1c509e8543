"""Core statements compiled once and run straight on the driver, for what each step of each journey runs.

SQLAlchemy's own execution is a third of a worker's Python: it looks the compiled statement up again, makes a context, a
cursor and a result for each. Here a statement is compiled at its first run on each kind of database; types convert as
they do in SQLAlchemy, and errors come as SQLAlchemy raises them, with no values in their text.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import asyncpg
from sqlalchemy import ColumnElement, Delete, Dialect, Float, Insert, Select, Update, exc, false, or_
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from perennial.platform.database_errors import forget_values
from perennial.platform.sqlite_driver import InlineConnection

Convert = Callable[[Any], Any] | None
Values = Mapping[str, Any]
Row = tuple[Any, ...]
Statement = Select[*tuple[Any, ...]] | Insert | Update | Delete


def any_of(column: ColumnElement[str] | InstrumentedAttribute[str], values: Iterable[str]) -> ColumnElement[bool]:
    """`column IN values`, of a length that is known when the statement is compiled."""
    return or_(false(), *(column == value for value in values))


class Prepared:
    """One statement. An INSERT names its `columns`, and leaves no default to Python."""

    def __init__(self, statement: Statement, columns: Sequence[str] | None = None) -> None:
        self.statement = statement
        self.columns = columns
        self._compiled: dict[str, _Compiled] = {}

    async def rows(self, connection: AsyncConnection, values: Values) -> list[Row]:
        """All rows of a SELECT."""
        compiled, driver = self._on(connection)
        if isinstance(driver, InlineConnection):
            await driver.begin()
            try:
                found: Sequence[Row] = driver.sqlite.execute(compiled.sql, compiled.bind(values)).fetchall()
            except sqlite3.Error as error:
                _raise(compiled.sql, error)
        elif driver.is_in_transaction():
            try:
                found = await driver.fetch(compiled.sql, *compiled.bind(values))
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _raise(compiled.sql, error)
        else:  # SQLAlchemy begins the transaction with its first statement
            return [tuple(row) for row in await connection.execute(self.statement, dict(values))]
        return compiled.convert(found)

    async def run(self, connection: AsyncConnection, values: Values) -> None:
        """Run an INSERT, UPDATE or DELETE."""
        compiled, driver = self._on(connection)
        if isinstance(driver, InlineConnection):
            await driver.begin()
            try:
                driver.sqlite.execute(compiled.sql, compiled.bind(values)).close()
            except sqlite3.Error as error:
                _raise(compiled.sql, error)
        elif driver.is_in_transaction():
            try:
                await driver.execute(compiled.sql, *compiled.bind(values))
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _raise(compiled.sql, error)
        else:
            await connection.execute(self.statement, dict(values))

    async def run_many(self, connection: AsyncConnection, rows: Sequence[Values]) -> None:
        """Run it once for each of the rows, in order."""
        for values in rows:
            await self.run(connection, values)

    def _on(self, connection: AsyncConnection) -> tuple[_Compiled, Any]:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = self._compiled[dialect.name] = _compile(self.statement, self.columns, dialect)
        sync = connection.sync_connection
        assert sync is not None
        return compiled, sync.connection.driver_connection


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    parameters: tuple[tuple[str, Convert], ...]
    """Names in the order of their places, and how each value is converted."""
    fixed: Values
    """Values that the statement itself has."""
    columns: tuple[tuple[int, Callable[[Any], Any]], ...]
    """The columns of the result that are converted."""

    def bind(self, values: Values) -> list[Any]:
        bound = []
        for name, convert in self.parameters:
            value = values[name] if name in values else self.fixed[name]
            bound.append(value if convert is None else convert(value))
        return bound

    def convert(self, found: Iterable[Sequence[Any]]) -> list[Row]:
        if not self.columns:
            return [tuple(row) for row in found]
        rows = []
        for each in found:
            row = list(each)
            for index, convert in self.columns:
                row[index] = convert(row[index])
            rows.append(tuple(row))
        return rows


def _compile(statement: Statement, columns: Sequence[str] | None, dialect: Dialect) -> _Compiled:
    compiled = statement.compile(
        dialect=dialect,
        column_keys=list(columns) if columns is not None else None,
    )
    assert isinstance(compiled, SQLCompiler)
    assert not compiled.insert_prefetch, "an INSERT names all its columns"
    assert not compiled.post_compile_params, "IN of a list is `any_of`"
    fixed = {name: bound.effective_value for bound, name in compiled.bind_names.items() if not bound.required}
    parameters = tuple((name, _to_driver(compiled, name, dialect)) for name in compiled.positiontup or ())
    results = statement.selected_columns if isinstance(statement, Select) else ()
    converters = ((index, _from_driver(column.type, dialect)) for index, column in enumerate(results))
    return _Compiled(
        str(compiled),
        parameters,
        fixed,
        tuple((index, convert) for index, convert in converters if convert is not None),
    )


def _to_driver(compiled: SQLCompiler, name: str, dialect: Dialect) -> Convert:
    bound = compiled.binds.get(name)
    return None if bound is None else bound.type.dialect_impl(dialect).bind_processor(dialect)


def _from_driver(type_: TypeEngine[Any], dialect: Dialect) -> Convert:
    if isinstance(type_, Float):  # both drivers give floats
        return None
    return type_.dialect_impl(dialect).result_processor(dialect, None)


def _raise(sql: str, error: Exception) -> NoReturn:
    if not isinstance(error, sqlite3.Error):
        forget_values(error)
    raised = exc.DBAPIError.instance(sql, None, error, Exception, hide_parameters=True)
    assert raised is not None
    raise raised from error
