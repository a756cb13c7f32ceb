package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

func engineCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "engine",
		Short: "Fetch the embedded ClickHouse engine, once, and print where it is",
		Long: `engine puts the ClickHouse engine that "up" and the tests embed into the cache, by npm,
checked against the sum that this program pins. It does nothing when the engine is there, or
when ` + engine.EnvLibrary + ` names one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := locateEngine(cmd.Context(), cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), path)
			return nil
		},
	}
}

// locateEngine returns the path of the engine's library and fetches it first where it has to, showing progress.
func locateEngine(ctx context.Context, progress io.Writer) (string, error) {
	path, err := engine.Locate()
	if err == nil || !errors.Is(err, engine.ErrNotFetched) {
		return path, err
	}
	fmt.Fprintf(progress, "fetching the embedded ClickHouse engine %s (about 180 MB, once)\n", engine.Version)
	var bar *progressbar.ProgressBar
	path, err = engine.Fetch(ctx, func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(progress), progressbar.OptionShowBytes(true),
				progressbar.OptionSetDescription("unpacking"), progressbar.OptionThrottle(100_000_000), progressbar.OptionOnCompletion(func() {
					fmt.Fprintln(progress)
				}))
		}
		_ = bar.Set64(done) // A bar that can't be drawn stops nothing.
	})
	return path, err
}
