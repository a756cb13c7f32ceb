package projections_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/orderledger/orderledger/projections"
)

func TestExpand(t *testing.T) {
	t.Parallel()
	const table = `CREATE TABLE IF NOT EXISTS a
(
    x UInt8 COMMENT 'It''s (x), the first' CODEC(Delta, ZSTD(1)),
    y  Nullable(DateTime64(3, 'UTC')) COMMENT 'The second',
    z String COMMENT 'The third',
    INDEX by_x x TYPE bloom_filter GRANULARITY 1
)
ENGINE = Memory;
`
	files := func(second string) fstest.MapFS {
		return fstest.MapFS{"0001_a.sql": {Data: []byte(table)}, "0002_b.sql": {Data: []byte(second)}}
	}
	t.Run("a view repeats the columns of its table", func(t *testing.T) {
		t.Parallel()
		all, err := projections.Expand(files(`ALTER TABLE a ADD COLUMN IF NOT EXISTS w Bool COMMENT 'Added later' CODEC(NONE);
CREATE OR REPLACE VIEW b
(
    {{columns a except z}},
    v Bool COMMENT 'Of the view only'
)
AS SELECT {{names a except z}}, y IS NULL AS v FROM a`))
		require.NoError(t, err)
		text, err := fs.ReadFile(all, "0002_b.sql")
		require.NoError(t, err)
		require.Equal(t, `ALTER TABLE a ADD COLUMN IF NOT EXISTS w Bool COMMENT 'Added later' CODEC(NONE);
CREATE OR REPLACE VIEW b
(
    x UInt8 COMMENT 'It''s (x), the first',
    y Nullable(DateTime64(3, 'UTC')) COMMENT 'The second',
    w Bool COMMENT 'Added later',
    v Bool COMMENT 'Of the view only'
)
AS SELECT x, y, w, y IS NULL AS v FROM a`, string(text))
	})
	for name, sql := range map[string]string{
		"unknown table":         "{{columns b}}",
		"unknown column":        "{{names a except b}}",
		"malformed placeholder": "{{column a}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := projections.Expand(files(sql))
			require.ErrorContains(t, err, "migration 0002_b.sql: ")
		})
	}
}
