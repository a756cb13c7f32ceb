package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go"
	"github.com/ClickHouse/ch-go/proto"
)

// Table is the target of inserts: a name, and columns that the caller fills and resets.
type Table struct {
	// Name of the table in the configured database.
	Name string
	// Columns in any order, each with the same number of rows.
	Columns proto.Input

	statement string
}

// Rows returns the number of rows in the columns.
func (t *Table) Rows() int {
	if len(t.Columns) == 0 {
		return 0
	}
	return t.Columns[0].Data.Rows()
}

// Reset empties the columns and keeps their memory.
func (t *Table) Reset() {
	for _, c := range t.Columns {
		c.Data.(proto.Resettable).Reset()
	}
}

// sql returns the INSERT statement of the table.
func (t *Table) sql() string {
	if t.statement == "" {
		names := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			names[i] = quoteName(c.Name)
		}
		t.statement = "INSERT INTO " + quoteName(t.Name) + " (" + strings.Join(names, ", ") + ") VALUES"
	}
	return t.statement
}

// Inserter is one connection for inserts, for one goroutine at a time. It dials on first use, and again after an error.
type Inserter struct {
	cfg    Config
	client *ch.Client
}

// NewInserter returns an inserter that has not connected yet.
func NewInserter(cfg Config) *Inserter { return &Inserter{cfg: cfg} }

// Insert sends the rows of a table as one block with a deduplication token, and waits until the server has stored them.
// Without rows it does nothing. After an error the rows may be stored or not, unless errors.As finds a *ch.Exception.
func (i *Inserter) Insert(ctx context.Context, t *Table, token string) error {
	if t.Rows() == 0 {
		return nil
	}
	limit := i.cfg.InsertLimit()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := i.connect(ctx); err != nil {
		return err
	}
	settings := []ch.Setting{
		// Since 26.3 a server batches small inserts by default (async_insert), and the token then names another block.
		ch.SettingInt("async_insert", 0),
		{Key: "insert_deduplication_token", Value: token, Important: true},
		// The insert of a dead client must not be stored after that of its successor.
		ch.SettingInt("max_execution_time", int(max(limit/time.Second, 1))),
	}
	for k, v := range i.cfg.Settings {
		settings = append(settings, ch.Setting{Key: k, Value: v, Important: true})
	}
	err := i.client.Do(ctx, ch.Query{Body: t.sql(), Input: t.Columns, Settings: settings})
	if err != nil {
		// It is unknown how much of the query the server has read, so the connection can't be used again.
		return errors.Join(fmt.Errorf("insert into %s: %w", t.Name, err), i.Close())
	}
	return nil
}

// MaxOffset returns the highest offset of a lane in a history table, or -1 without rows. It reads with sequential
// consistency, so that after a takeover it sees the rows that the last owner wrote to another replica.
func (i *Inserter) MaxOffset(ctx context.Context, table string, lane int32) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, i.cfg.InsertLimit())
	defer cancel()
	if err := i.connect(ctx); err != nil {
		return 0, err
	}
	var rows proto.ColUInt64
	var highest proto.ColUInt64
	highestOffset := int64(-1)
	err := i.client.Do(ctx, ch.Query{
		Body: "SELECT toUInt64(count()) AS found, toUInt64(max(offset)) AS highest FROM " + quoteName(table) +
			" WHERE lane = " + strconv.Itoa(int(lane)),
		Settings: []ch.Setting{ch.SettingInt("select_sequential_consistency", 1)},
		Result:   proto.Results{{Name: "found", Data: &rows}, {Name: "highest", Data: &highest}},
		OnResult: func(context.Context, proto.Block) error {
			if rows.Rows() > 0 && rows.Row(0) > 0 {
				highestOffset = int64(highest.Row(0))
			}
			return nil
		},
	})
	if err != nil {
		return 0, errors.Join(fmt.Errorf("highest offset of lane %d in %s: %w", lane, table, err), i.Close())
	}
	return highestOffset, nil
}

// Close closes the connection. The next use of the inserter dials again.
func (i *Inserter) Close() error {
	if i.client == nil {
		return nil
	}
	client := i.client
	i.client = nil
	if err := client.Close(); err != nil && !errors.Is(err, ch.ErrClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close clickhouse connection: %w", err)
	}
	return nil
}

func (i *Inserter) connect(ctx context.Context) error {
	if i.client != nil && !i.client.IsClosed() {
		return nil
	}
	var errs []error
	for _, addr := range i.cfg.Addrs {
		client, err := ch.Dial(ctx, i.options(addr))
		if err == nil {
			i.client = client
			return nil
		}
		errs = append(errs, fmt.Errorf("connect to clickhouse %s: %w", addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (i *Inserter) options(addr string) ch.Options {
	o := ch.Options{
		Address: addr, Database: i.cfg.database(), User: i.cfg.user(), Password: i.cfg.Password.Reveal(),
		ClientName: "orderledger", Dialer: dialer(i.cfg.dial),
		DialTimeout: i.cfg.dialTimeout(), HandshakeTimeout: i.cfg.dialTimeout(),
		// The server sends nothing while it sorts and writes.
		ReadTimeout: i.cfg.InsertLimit(),
	}
	if i.cfg.compress() {
		o.Compression = ch.CompressionLZ4
	}
	return o
}

type dialer func(ctx context.Context, addr string) (net.Conn, error)

func (d dialer) DialContext(ctx context.Context, _, addr string) (net.Conn, error) {
	return d(ctx, addr)
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(s) + "`"
}
