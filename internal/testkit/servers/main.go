package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/orderledger/orderledger/internal/testkit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx, os.Args[1:], os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
	}
	os.Exit(code)
}

// server is one of the two servers.
type server struct {
	name  string
	env   string // The name of the variable with its address.
	image string // The name of the variable with its image.
	start func(ctx context.Context, d *docker, image string) (settings map[string]string, err error)
}

func run(ctx context.Context, args []string, log io.Writer) (code int, err error) {
	flags := flag.NewFlagSet("servers", flag.ContinueOnError)
	require := flags.Bool("require", false, "fail if neither server is available")
	if err := flags.Parse(args); err != nil {
		return 2, err
	}
	if flags.NArg() == 0 {
		return 2, errors.New("no command: servers [-require] -- COMMAND")
	}
	images, err := readImages(".env.images")
	if err != nil {
		return 1, err
	}
	d := newDocker(ctx, log)
	defer func() { err = errors.Join(err, d.close()) }()

	var missing []string
	for _, s := range []server{
		{string(testkit.Apache), testkit.EnvKafka, "KAFKA_IMAGE", startKafka},
		{string(testkit.Server), testkit.EnvClickHouse, "CLICKHOUSE_IMAGE", startClickHouse},
	} {
		// Tests that start a server of their own use the same image.
		if err := os.Setenv(s.image, images[s.image]); err != nil {
			return 1, err
		}
		why, err := s.provide(ctx, d, images[s.image], log)
		if err != nil {
			return 1, fmt.Errorf("start %s: %w", s.name, err)
		}
		if why != "" {
			missing = append(missing, s.name+": "+why)
			if err := os.Setenv(s.env+testkit.EnvAbsent, why); err != nil {
				return 1, err
			}
		}
	}
	if *require && len(missing) == 2 {
		return 1, fmt.Errorf("neither server is available: %s", strings.Join(missing, "; "))
	}
	return command(ctx, flags.Args())
}

// provide sets the variables of a server, or returns why it is not available.
func (s server) provide(ctx context.Context, d *docker, image string, log io.Writer) (why string, err error) {
	if os.Getenv(s.env) != "" {
		return "", nil
	}
	if why := d.lacks(ctx, image); why != "" {
		return s.env + " is not set, and " + why, nil
	}
	began := time.Now()
	settings, err := s.start(ctx, d, image)
	if err != nil {
		return "", err
	}
	for k, v := range settings {
		if err := os.Setenv(k, v); err != nil {
			return "", err
		}
	}
	fmt.Fprintf(log, "servers: %s from %s at %s started in %.1f s\n",
		s.name, image, settings[s.env], time.Since(began).Seconds())
	return "", nil
}

// command runs the command and returns its exit code. After an interrupt, which the command gets too, it waits for the
// command, whose children use the servers.
func command(ctx context.Context, args []string) (int, error) {
	c := exec.CommandContext(ctx, args[0], args[1:]...)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 30 * time.Second
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// readImages returns the images by the names in the file. Variables of the same names override them.
func readImages(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the image names (run this at the root of the project): %w", err)
	}
	defer file.Close()
	images := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, image, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if replaced := os.Getenv(name); replaced != "" {
			image = replaced
		}
		images[name] = image
	}
	return images, lines.Err()
}
