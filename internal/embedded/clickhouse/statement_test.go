package clickhouse

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseStatements(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]statement{
		"SELECT 1":           {kind: kindSelect, sql: "SELECT 1"},
		" select 1 ; -- end": {kind: kindSelect, sql: "select 1"},
		"/* a; */ WITH x AS (SELECT 1) SELECT x;":  {kind: kindSelect, sql: "/* a; */ WITH x AS (SELECT 1) SELECT x"},
		"(SELECT 1) UNION ALL (SELECT 2)":          {kind: kindSelect, sql: "(SELECT 1) UNION ALL (SELECT 2)"},
		"SELECT 1 FORMAT JSON":                     {kind: kindSelect, sql: "SELECT 1", format: "JSON"},
		"SELECT 1 format JSON settings a=1":        {kind: kindSelect, sql: "SELECT 1   settings a=1", format: "JSON"},
		"SELECT ' FORMAT JSON'":                    {kind: kindSelect, sql: "SELECT ' FORMAT JSON'"},
		"SELECT format FROM t":                     {kind: kindSelect, sql: "SELECT format FROM t"},
		"SELECT a FROM t ORDER BY format DESC":     {kind: kindSelect, sql: "SELECT a FROM t ORDER BY format DESC"},
		"SELECT 'it''s; \\' ;'":                    {kind: kindSelect, sql: "SELECT 'it''s; \\' ;'"},
		"SHOW TABLES":                              {kind: kindShow, sql: "SHOW TABLES"},
		"SET a = 1":                                {kind: kindSession, sql: "SET a = 1"},
		"CREATE TEMPORARY TABLE t (a Int8)":        {kind: kindSession, sql: "CREATE TEMPORARY TABLE t (a Int8)"},
		"CREATE TABLE t (a Int8) ENGINE=Memory":    {kind: kindCommand, sql: "CREATE TABLE t (a Int8) ENGINE=Memory"},
		"INSERT INTO t SELECT 1":                   {kind: kindCommand, sql: "INSERT INTO t SELECT 1"},
		"INSERT INTO t (a) (SELECT 1)":             {kind: kindCommand, sql: "INSERT INTO t (a) (SELECT 1)"},
		"INSERT INTO t FROM INFILE 'x' FORMAT CSV": {kind: kindCommand, sql: "INSERT INTO t FROM INFILE 'x' FORMAT CSV"},
	} {
		t.Run(sql, func(t *testing.T) {
			t.Parallel()
			got, err := parse(sql)
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestParseInsertHeads(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]insertion{
		"INSERT INTO t":                                             {target: "t"},
		"insert into table db.t (a, b) values":                      {target: "db.t", columns: "(a, b)", format: "Values"},
		"INSERT INTO `a.b`.\"c(\" (`x)`) FORMAT Native":             {target: "`a.b`.\"c(\"", columns: "(`x)`)", format: "Native"},
		"INSERT INTO t (* EXCEPT(a)) VALUES (1)":                    {target: "t", columns: "(* EXCEPT(a))", format: "Values", data: " (1)"},
		"INSERT INTO t SETTINGS a = 'x, FORMAT', b=1 FORMAT Native": {target: "t", settings: "a = 'x, FORMAT', b=1", format: "Native"},
		"INSERT INTO t (a) SETTINGS async_insert=0 VALUES;":         {target: "t", columns: "(a)", settings: "async_insert=0", format: "Values", data: ";"},
		"INSERT INTO FUNCTION null('a Int8') FORMAT CSV 1":          {target: "FUNCTION null('a Int8')", format: "CSV", data: " 1"},
		"INSERT INTO table VALUES":                                  {target: "table", format: "Values"},
		"INSERT INTO {t:Identifier} FORMAT Native":                  {target: "{t:Identifier}", format: "Native"},
		"INSERT INTO db.{t:Identifier} (a) VALUES":                  {target: "db.{t:Identifier}", columns: "(a)", format: "Values"},
	} {
		t.Run(sql, func(t *testing.T) {
			t.Parallel()
			got, err := parse(sql)
			require.NoError(t, err)
			require.Equal(t, kindInsert, got.kind)
			require.Equal(t, want, got.insert)
		})
	}
}

func TestParseRowsBeginAfterOneLineBreak(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		"INSERT INTO t FORMAT CSV \t\n\n1":       "\n1",
		"INSERT INTO t FORMAT RowBinary\r\n\x0a": "\x0a",
		"INSERT INTO t VALUES (1), ('a;') ; ":    " (1), ('a;')",
	} {
		st, err := parse(sql)
		require.NoError(t, err)
		require.Equal(t, want, rowsIn(&st.insert))
	}
}

func TestQuoteText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "a", "it's", `back\slash`, "tab\tand\nline", "nul\x00"} {
		require.Equal(t, s, unquoteText(quoteText(s)))
	}
	require.Equal(t, "12", unquoteText("12"))
	require.Equal(t, "a\tb", unquoteText(`'a\tb'`))
	require.Equal(t, "`a\\`b`", quoteName("a`b"))
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"INSERT INTO t (a", "SELECT '", "INSERT INTO", "SELECT `", "/*", "INSERT INTO t SETTINGS", "INSERT INTO {", "SELECT 1 FORMAT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		st, err := parse(sql)
		if err == nil && st.kind == kindInsert {
			_ = settingNames(st.insert.settings)
			_ = rowsIn(&st.insert)
		}
		_ = shapeOf(sql)
	})
}
