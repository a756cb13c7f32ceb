package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/orderledger/orderledger/internal/disk"
)

// space refuses writes before the disk is full. kfake must not meet the end of the disk: it answers
// UNKNOWN_SERVER_ERROR, which says nothing, and it answers success to the end of a transaction whose marker it could
// not write.
//
// From the reserve on it refuses records, with KAFKA_STORAGE_ERROR as Apache Kafka does. What remains of the reserve is
// for transactions in hand, offsets and a clean stop. Below a quarter of it, when another program fills the disk, it
// refuses these too.
type space struct {
	dir     string
	reserve int64 // Zero takes that of the disk; negative refuses nothing.
	log     *slog.Logger

	mu       sync.Mutex
	full     bool      // Guarded by mu.
	loggedAt time.Time // Guarded by mu.
}

// lastReserve is the part of the reserve below which nothing is written.
const lastReserve = 4

// logEvery is the interval of the line about a full disk while it stays full.
const logEvery = time.Minute

// refuse installs the refusals in a cluster.
func (s *space) refuse(c *kfake.Cluster) {
	refused := func(part int64, keys ...kmsg.Key) kfake.Fault {
		return kfake.Fault{
			Keys: keys, Err: kerr.KafkaStorageError, Count: -1,
			When: func(kmsg.Request) bool { return s.below(part) },
		}
	}
	c.Fault(
		refused(1, kmsg.Produce),
		refused(lastReserve, kmsg.EndTxn, kmsg.InitProducerID, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn,
			kmsg.TxnOffsetCommit, kmsg.OffsetCommit, kmsg.JoinGroup),
	)
	// kfake writes down its topics after these requests, even if a fault refuses all of them.
	for _, key := range []kmsg.Key{kmsg.CreateTopics, kmsg.CreatePartitions} {
		c.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if !s.below(lastReserve) {
				return nil, nil, false
			}
			return refuseTopics(r), nil, true
		})
	}
	c.ControlKey(int16(kmsg.DescribeLogDirs), func(r kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp, err := s.describe(r.(*kmsg.DescribeLogDirsRequest))
		return resp, err, err == nil
	})
}

// refuseTopics answers that no topic, and no partition of one, can be created.
func refuseTopics(r kmsg.Request) kmsg.Response {
	switch resp := r.ResponseKind().(type) {
	case *kmsg.CreateTopicsResponse:
		for _, topic := range r.(*kmsg.CreateTopicsRequest).Topics {
			refused := kmsg.NewCreateTopicsResponseTopic()
			refused.Topic, refused.ErrorCode = topic.Topic, kerr.KafkaStorageError.Code
			resp.Topics = append(resp.Topics, refused)
		}
		return resp
	case *kmsg.CreatePartitionsResponse:
		for _, topic := range r.(*kmsg.CreatePartitionsRequest).Topics {
			refused := kmsg.NewCreatePartitionsResponseTopic()
			refused.Topic, refused.ErrorCode = topic.Topic, kerr.KafkaStorageError.Code
			resp.Topics = append(resp.Topics, refused)
		}
		return resp
	default:
		return resp
	}
}

// below reports whether less than a part of the reserve is free.
func (s *space) below(part int64) bool {
	left, reserve, err := s.left()
	if err != nil || reserve < 0 {
		return false
	}
	if part == 1 {
		s.note(left, reserve)
	}
	return left < reserve/part
}

// left returns the free bytes of the disk, and the reserve.
func (s *space) left() (free, reserve int64, err error) {
	of, err := disk.Of(s.dir)
	if err != nil {
		return 0, 0, err
	}
	if s.reserve == 0 {
		return of.Free, of.Reserve(), nil
	}
	return of.Free, s.reserve, nil
}

// note logs that the disk is full, once in a while, and that it no longer is.
func (s *space) note(left, reserve int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was, now := s.full, time.Now()
	s.full = left < reserve
	level, message := slog.LevelWarn, "disk of embedded kafka full, writes refused"
	switch {
	case s.full && was && now.Sub(s.loggedAt) < logEvery, !s.full && !was:
		return
	case !s.full:
		level, message = slog.LevelInfo, "disk of embedded kafka has space again"
	}
	s.loggedAt = now
	s.log.Log(context.Background(), level, message, // kfake's interface has no context.
		slog.String("folder", s.dir), slog.Int64("free_bytes", left), slog.Int64("reserve_bytes", reserve))
}

// describe answers DescribeLogDirs from the files: kfake would answer with an invented size.
func (s *space) describe(req *kmsg.DescribeLogDirsRequest) (*kmsg.DescribeLogDirsResponse, error) {
	of, err := disk.Of(s.dir)
	if err != nil {
		return nil, err
	}
	free, reserve, err := s.left()
	if err != nil {
		return nil, err
	}
	sizes, err := s.sizes()
	if err != nil {
		return nil, err
	}
	dir := kmsg.NewDescribeLogDirsResponseDir()
	dir.Dir, dir.TotalBytes, dir.UsableBytes = s.dir, of.Total, max(0, free-max(0, reserve))
	for topic, partitions := range sizes {
		t := kmsg.NewDescribeLogDirsResponseDirTopic()
		t.Topic = topic
		for id, size := range partitions {
			if !requested(req, topic, id) {
				continue
			}
			p := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
			p.Partition, p.Size = id, size
			t.Partitions = append(t.Partitions, p)
		}
		if len(t.Partitions) > 0 {
			dir.Topics = append(dir.Topics, t)
		}
	}
	resp := req.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	resp.Dirs = append(resp.Dirs, dir)
	return resp, nil
}

// requested reports whether a request asks for a partition. No list asks for all.
func requested(req *kmsg.DescribeLogDirsRequest, topic string, id int32) bool {
	if req.Topics == nil {
		return true
	}
	for _, t := range req.Topics {
		if t.Topic == topic {
			for _, p := range t.Partitions {
				if p == id {
					return true
				}
			}
		}
	}
	return false
}

// sizes returns the bytes of each partition, by topic. kfake keeps each in partitions/<topic>-<id>.
func (s *space) sizes() (map[string]map[int32]int64, error) {
	sizes := map[string]map[int32]int64{}
	err := filepath.WalkDir(filepath.Join(s.dir, "log", "partitions"), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // Also a file that was deleted meanwhile.
		}
		if err != nil || d.IsDir() {
			return err
		}
		name := filepath.Base(filepath.Dir(path))
		dash := strings.LastIndexByte(name, '-')
		id, perr := strconv.ParseInt(name[dash+1:], 10, 32)
		topic, uerr := url.PathUnescape(name[:max(dash, 0)])
		info, ierr := d.Info()
		if errors.Join(perr, uerr, ierr) != nil {
			return nil //nolint:nilerr // No file of a partition, or one that was deleted meanwhile.
		}
		if sizes[topic] == nil {
			sizes[topic] = map[int32]int64{}
		}
		sizes[topic][int32(id)] += info.Size()
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("sizes of partitions: %w", err)
	}
	return sizes, nil
}
