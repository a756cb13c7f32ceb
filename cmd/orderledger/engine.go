package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/embedded/engine"
)

func engineCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "engine",
		Short: "Fetch the embedded ClickHouse engine once and print its path",
		Long: `engine downloads the ClickHouse engine that "up" and the tests embed, libchdb ` + engine.Version + `,
through npm, and verifies it against a pinned checksum. It does nothing when the engine is in the cache,
or when ` + engine.EnvLibrary + ` names a library.`,
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

// locateEngine returns the path of the engine's library. It fetches a missing library and shows the progress.
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
				progressbar.OptionSetDescription("unpacking"), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionOnCompletion(func() { fmt.Fprintln(progress) }))
		}
		_ = bar.Set64(done) // A progress bar that can't be drawn is no reason to stop.
	})
	if err != nil && bar != nil {
		_ = bar.Exit() // The reason gets a line of its own.
	}
	return path, err
}
