//go:build !linux && !darwin

package disk

import "errors"

func space(string) (Space, error) { return Space{}, errors.ErrUnsupported }
