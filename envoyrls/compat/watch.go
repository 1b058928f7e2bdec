package compat

import (
	"time"

	"go.uber.org/zap"
)

// watch looks at the directory until the service is closed.
func (s *Service) watch() {
	ticker := time.NewTicker(s.Poll)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-ticker.C:
			s.look()
		}
	}
}

// look loads what the directory holds if it is new, and was there a look ago
// already: files may be written one after another.
func (s *Service) look() {
	files, now, err := readDir(s.Dir)
	if err != nil {
		if text := err.Error(); text != s.failure {
			s.failure = text
			s.reject(err)
		}
		return
	}
	gone := s.failure != ""
	s.failure = ""
	before := s.candidate
	s.candidate = now
	switch {
	case now == s.last && gone:
		s.recover()
	case now == s.last, now != before:
	default:
		s.last = now
		s.load(files)
	}
}

// load replaces the configuration by what files say, or rejects them.
func (s *Service) load(files []File) {
	config, err := Compile(files, s.MergeDomains)
	if err == nil {
		err = s.free(config)
	}
	if err != nil {
		s.wrong = true
		s.reject(err)
		return
	}
	s.declare(config)
	s.config.Store(config)
	s.loaded(config)
}

// recover notes that a directory which could not be read can be, and is as it
// was before.
func (s *Service) recover() {
	if !s.wrong {
		s.metrics.stale.WithLabelValues(s.Dir).Set(0)
	}
	s.Logger.Info("the directory of rate limits can be read again", zap.String("directory", s.Dir))
}

// loaded tells of a configuration that is in force now.
func (s *Service) loaded(config *Config) {
	s.wrong = false
	s.metrics.loaded.Inc()
	s.metrics.stale.WithLabelValues(s.Dir).Set(0)
	s.Logger.Info("loaded rate limits", zap.String("directory", s.Dir), zap.Strings("domains", config.Domains()))
	for _, warning := range config.Warnings {
		s.Logger.Warn("something without effect", zap.String("at", warning))
	}
}

// reject tells of a configuration that does not come into force.
func (s *Service) reject(err error) {
	s.metrics.rejected.Inc()
	s.metrics.stale.WithLabelValues(s.Dir).Set(1)
	s.Logger.Error("rejected rate limits; those before stay in force", zap.String("directory", s.Dir), zap.Error(err))
}
