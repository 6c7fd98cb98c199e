/** Columns under the names that reports written against the seed schema use, by table. */
export const seedColumns = {
  organizations:
    'id name slug settings subscription_tier subscription_expires_at created_at updated_at deleted_at',
  stores: 'id organization_id name code timezone location metadata is_active created_at updated_at',
  user_profiles:
    'id organization_id email full_name role assigned_stores assigned_regions preferences last_login_at is_active created_at updated_at',
  sensor_metadata:
    'id organization_id store_id sensor_id sensor_type name location configuration timezone_offset is_online last_seen_at health_status created_at updated_at',
  people_counting_raw: 'id sensor_id timestamp in_count out_count metadata created_at',
  regional_counting_raw:
    'id sensor_id region_id timestamp occupancy dwell_time metadata created_at',
  hourly_analytics:
    'id store_id sensor_id start_time end_time total_in total_out net_occupancy peak_occupancy transactions conversion_rate avg_transaction_value mall_traffic capture_rate created_at',
  daily_analytics:
    'id store_id date total_footfall unique_visitors peak_hour peak_hour_footfall conversion_rate avg_dwell_time bounce_rate vs_yesterday_percent vs_last_week_percent vs_last_month_percent vs_last_year_percent total_revenue total_transactions avg_basket_size created_at updated_at',
  region_configurations:
    'id store_id sensor_id region_id name type polygon metadata is_active created_at updated_at',
  alerts:
    'id organization_id store_id alert_type severity title description metadata is_resolved resolved_at resolved_by created_at',
  latest_sensor_data:
    'id organization_id store_id sensor_id name sensor_type is_online health_status last_seen_at last_data_timestamp last_in_count last_out_count store_name store_timezone',
} as const;
