package envoyrls

// Patience is patience.
const Patience = patience

// TakePlaces leaves no room for requests under way, until free is called.
func TakePlaces() (free func(), err error) {
	s, err := openStays()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.most - s.places
	s.places += taken
	return func() {
		s.mu.Lock()
		s.places -= taken
		s.mu.Unlock()
		_ = closeStays()
	}, nil
}
