package tokens

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/otel/metric"
)

// Config is what the Collector's configuration says of this extension.
type Config struct {
	// File has one token on each line.
	File string `mapstructure:"file"`
	// Scheme is the word in front of the token in the Authorization header.
	Scheme string `mapstructure:"scheme"`
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	if c.File == "" || c.Scheme == "" {
		return errors.New("file and scheme are required")
	}
	return nil
}

// NewFactory makes the extension `tokens`.
func NewFactory() extension.Factory {
	return extension.NewFactory(
		component.MustNewType("tokens"),
		func() component.Config { return &Config{} },
		create,
		component.StabilityLevelStable,
	)
}

func create(_ context.Context, settings extension.Settings, config component.Config) (extension.Extension, error) {
	cfg := config.(*Config)
	rejected, err := settings.MeterProvider.Meter("epiphyte.dev/collector/tokens").Int64Counter(
		"epiphyte_rejected_requests",
		metric.WithDescription("Requests that were refused, by what was wrong with their token."),
	)
	if err != nil {
		return nil, err
	}
	return &authenticator{file: cfg.File, scheme: cfg.Scheme, logger: settings.Logger, rejected: rejected}, nil
}
