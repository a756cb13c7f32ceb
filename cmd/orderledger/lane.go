package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/orderledger/orderledger/internal/importer"
	"github.com/orderledger/orderledger/internal/setting"
)

func laneCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "lane", Short: "Act on a lane of the ledger", Args: cobra.NoArgs}
	admins := []string{defaultAdmin}
	e := setting.NewReader(os.Getenv)
	readLane(e, &admins)
	retry := &cobra.Command{
		Use:   "retry LANE",
		Short: "Read a damaged lane again, after you have repaired it",
		Long: `Retry has ingest read a damaged lane again. An instance that finds a lane damaged reads it once
and then leaves it closed, because reading it again would find the same. Its other lanes work.

Ask every instance: the owner opens the lane, and the others continue their standbys of it. Name their
admin addresses with --admin, or ORDERLEDGER_ADMIN_URLS with commas between them. Restarting an instance
does the same for all of its lanes; "orderledger up" knows no other way.`,
		Example: "  orderledger lane retry 3 --admin http://ingest-1:9101 --admin http://ingest-2:9101",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lane, err := strconv.ParseUint(args[0], 10, 31)
			if err != nil {
				return fmt.Errorf("lane %q: want a number", args[0])
			}
			for i, admin := range admins {
				admins[i] = strings.TrimSuffix(strings.TrimSpace(admin), "/")
				if err := importer.CheckURL(admins[i]); err != nil {
					return fmt.Errorf("%s: %w", nameOf(cmd, e, "admin", envAdmins), err)
				}
			}
			return retryLane(cmd.Context(), cmd.OutOrStdout(), lane, admins)
		},
	}
	retry.Flags().StringSliceVar(&admins, "admin", admins, "admin address of an ingest instance; repeat it for each")
	cmd.AddCommand(retry)
	return cmd
}

// envAdmins stands for --admin.
const envAdmins = "ORDERLEDGER_ADMIN_URLS"

const defaultAdmin = "http://127.0.0.1:9101"

func readLane(e *setting.Reader, admins *[]string) {
	e.List(envAdmins, admins, "`lane retry`: in place of `--admin`, a list")
}

// retryLane asks every instance, and fails unless one of them opened the lane or is reading it.
func retryLane(ctx context.Context, out io.Writer, lane uint64, admins []string) error {
	var problems []error
	taken := false
	for _, admin := range admins {
		admin = strings.TrimSuffix(strings.TrimSpace(admin), "/")
		status, text, err := postRetry(ctx, fmt.Sprintf("%s/lanes/%d/retry", admin, lane))
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			problems = append(problems, err)
			continue
		case status == http.StatusOK:
			text = "open here, or at another instance whose standby continues"
		case status == http.StatusAccepted:
			text = fmt.Sprintf("it is being read; see %s/readyz/lanes/%d", admin, lane)
		case status != http.StatusNotFound:
			problems = append(problems, fmt.Errorf("%s: %s", admin, text))
			continue
		}
		taken = taken || status != http.StatusNotFound
		fmt.Fprintf(out, "%s: %s\n", admin, text)
	}
	if !taken {
		problems = append(problems, fmt.Errorf("lane %d: no instance that answered has it", lane))
	}
	return errors.Join(problems...)
}

func postRetry(ctx context.Context, url string) (status int, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return 0, "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, string(bytes.TrimSpace(body)), err
}
