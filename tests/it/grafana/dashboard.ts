// What Grafana's published types say of a dashboard. tests/it/grafana.rs puts deploy/grafana-dashboard.json behind it
// as a literal and compiles both: a key that Grafana does not know, or a value of another type, is an error.
import type { Dashboard, Panel } from "@grafana/schema";
import type * as Stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as TimeSeries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** `T` as JSON has it: the members of string enums are their texts. */
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

type Drawn<Kind, Options, Field = Record<string, never>> = Omit<Panel<object, Field>, "type" | "options"> & {
  type: Kind;
  options?: Partial<Options>;
};

type Checked = Omit<Dashboard, "panels"> & {
  panels: Array<Drawn<"stat", Stat.Options> | Drawn<"timeseries", TimeSeries.Options, TimeSeries.FieldConfig>>;
};

export const dashboard: Json<Checked> =
