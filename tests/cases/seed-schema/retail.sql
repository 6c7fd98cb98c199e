-- The schema that reports were first written against, as published. tests/integration/seed-bugs.test.ts
-- shows what goes wrong with it. The policy on stores stands in the test: it cannot be created.

create function uuid_generate_v4() returns uuid language sql as $$ select gen_random_uuid() $$;
create schema auth;
create table auth.users (id uuid primary key);
create function auth.uid() returns uuid language sql stable as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
CREATE TABLE organizations (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    name VARCHAR(255) NOT NULL,
    slug VARCHAR(255) UNIQUE NOT NULL,
    settings JSONB DEFAULT '{}',
    subscription_tier VARCHAR(50) DEFAULT 'free',
    subscription_expires_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    deleted_at TIMESTAMP WITH TIME ZONE,
    
    CONSTRAINT valid_slug CHECK (slug ~ '^[a-z0-9-]+$')
);

-- Indexes
CREATE INDEX idx_organizations_slug ON organizations(slug);
CREATE INDEX idx_organizations_active ON organizations(deleted_at) WHERE deleted_at IS NULL;

CREATE TABLE stores (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
    name VARCHAR(255) NOT NULL,
    code VARCHAR(50),
    timezone VARCHAR(50) NOT NULL DEFAULT 'UTC',
    location JSONB DEFAULT '{}',
    metadata JSONB DEFAULT '{}',
    is_active BOOLEAN DEFAULT true,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT unique_store_code UNIQUE(organization_id, code)
);

-- Indexes
CREATE INDEX idx_stores_organization ON stores(organization_id);
CREATE INDEX idx_stores_active ON stores(is_active) WHERE is_active = true;
CREATE INDEX idx_stores_timezone ON stores(timezone);

CREATE TYPE user_role AS ENUM (
    'tenant_admin',    -- Full organization control
    'regional_manager', -- Multi-store oversight
    'store_manager',   -- Single store control
    'analyst',         -- Read-only analytics
    'store_staff',     -- Operational access
    'viewer'           -- Dashboard read-only
);

CREATE TABLE user_profiles (
    id UUID PRIMARY KEY REFERENCES auth.users(id) ON DELETE CASCADE,
    organization_id UUID REFERENCES organizations(id) ON DELETE SET NULL,
    email VARCHAR(255) NOT NULL,
    full_name VARCHAR(255),
    role user_role NOT NULL DEFAULT 'viewer',
    assigned_stores UUID[] DEFAULT '{}',
    assigned_regions UUID[] DEFAULT '{}',
    preferences JSONB DEFAULT '{}',
    last_login_at TIMESTAMP WITH TIME ZONE,
    is_active BOOLEAN DEFAULT true,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW()
);

-- Indexes
CREATE INDEX idx_user_profiles_organization ON user_profiles(organization_id);
CREATE INDEX idx_user_profiles_role ON user_profiles(role);
CREATE INDEX idx_user_profiles_email ON user_profiles(email);

CREATE TABLE sensor_metadata (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
    store_id UUID NOT NULL REFERENCES stores(id) ON DELETE CASCADE,
    sensor_id VARCHAR(100) NOT NULL,
    sensor_type VARCHAR(50) NOT NULL,
    name VARCHAR(255),
    location JSONB DEFAULT '{}',
    configuration JSONB DEFAULT '{}',
    timezone_offset INTEGER DEFAULT 0,
    is_online BOOLEAN DEFAULT true,
    last_seen_at TIMESTAMP WITH TIME ZONE,
    health_status VARCHAR(50) DEFAULT 'healthy',
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT unique_sensor_per_org UNIQUE(organization_id, sensor_id)
);

-- Indexes
CREATE INDEX idx_sensor_metadata_store ON sensor_metadata(store_id);
CREATE INDEX idx_sensor_metadata_sensor_id ON sensor_metadata(sensor_id);
CREATE INDEX idx_sensor_metadata_online ON sensor_metadata(is_online);
CREATE INDEX idx_sensor_metadata_last_seen ON sensor_metadata(last_seen_at);

CREATE TABLE people_counting_raw (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    sensor_id VARCHAR(100) NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE NOT NULL,
    in_count INTEGER NOT NULL DEFAULT 0,
    out_count INTEGER NOT NULL DEFAULT 0,
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT valid_counts CHECK (in_count >= 0 AND out_count >= 0)
);

-- Indexes for performance
CREATE INDEX idx_pcr_sensor_timestamp ON people_counting_raw(sensor_id, timestamp DESC);
CREATE INDEX idx_pcr_timestamp ON people_counting_raw(timestamp DESC);
CREATE INDEX idx_pcr_created ON people_counting_raw(created_at DESC);

-- Partitioning ready (for scale)
-- PARTITION BY RANGE (timestamp);

CREATE TABLE regional_counting_raw (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    sensor_id VARCHAR(100) NOT NULL,
    region_id VARCHAR(100) NOT NULL,
    timestamp TIMESTAMP WITH TIME ZONE NOT NULL,
    occupancy INTEGER NOT NULL DEFAULT 0,
    dwell_time INTEGER DEFAULT 0,
    metadata JSONB DEFAULT '{}',
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT valid_occupancy CHECK (occupancy >= 0)
);

-- Indexes
CREATE INDEX idx_rcr_sensor_region_timestamp ON regional_counting_raw(sensor_id, region_id, timestamp DESC);
CREATE INDEX idx_rcr_timestamp ON regional_counting_raw(timestamp DESC);

CREATE TABLE hourly_analytics (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    store_id UUID NOT NULL REFERENCES stores(id) ON DELETE CASCADE,
    sensor_id VARCHAR(100) NOT NULL,
    start_time TIMESTAMP WITH TIME ZONE NOT NULL,
    end_time TIMESTAMP WITH TIME ZONE NOT NULL,
    
    -- Traffic metrics
    total_in INTEGER NOT NULL DEFAULT 0,
    total_out INTEGER NOT NULL DEFAULT 0,
    net_occupancy INTEGER DEFAULT 0,
    peak_occupancy INTEGER DEFAULT 0,
    
    -- Conversion metrics (when POS integrated)
    transactions INTEGER DEFAULT 0,
    conversion_rate DECIMAL(5,2) DEFAULT 0,
    avg_transaction_value DECIMAL(10,2) DEFAULT 0,
    
    -- Capture rate (mall traffic comparison)
    mall_traffic INTEGER DEFAULT 0,
    capture_rate DECIMAL(5,2) DEFAULT 0,
    
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT unique_hourly_analytics UNIQUE(store_id, sensor_id, start_time)
);

-- Indexes
CREATE INDEX idx_ha_store_time ON hourly_analytics(store_id, start_time DESC);
CREATE INDEX idx_ha_sensor_time ON hourly_analytics(sensor_id, start_time DESC);
CREATE INDEX idx_ha_time ON hourly_analytics(start_time DESC);

CREATE TABLE daily_analytics (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    store_id UUID NOT NULL REFERENCES stores(id) ON DELETE CASCADE,
    date DATE NOT NULL,
    
    -- Traffic summary
    total_footfall INTEGER NOT NULL DEFAULT 0,
    unique_visitors INTEGER DEFAULT 0,
    peak_hour INTEGER DEFAULT 0,
    peak_hour_footfall INTEGER DEFAULT 0,
    
    -- Performance metrics
    conversion_rate DECIMAL(5,2) DEFAULT 0,
    avg_dwell_time INTEGER DEFAULT 0,
    bounce_rate DECIMAL(5,2) DEFAULT 0,
    
    -- Comparisons
    vs_yesterday_percent DECIMAL(5,2),
    vs_last_week_percent DECIMAL(5,2),
    vs_last_month_percent DECIMAL(5,2),
    vs_last_year_percent DECIMAL(5,2),
    
    -- Revenue (when POS integrated)
    total_revenue DECIMAL(10,2) DEFAULT 0,
    total_transactions INTEGER DEFAULT 0,
    avg_basket_size DECIMAL(10,2) DEFAULT 0,
    
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT unique_daily_analytics UNIQUE(store_id, date)
);

-- Indexes
CREATE INDEX idx_da_store_date ON daily_analytics(store_id, date DESC);
CREATE INDEX idx_da_date ON daily_analytics(date DESC);

CREATE TABLE region_configurations (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    store_id UUID NOT NULL REFERENCES stores(id) ON DELETE CASCADE,
    sensor_id VARCHAR(100) NOT NULL,
    region_id VARCHAR(100) NOT NULL,
    name VARCHAR(255) NOT NULL,
    type VARCHAR(50) DEFAULT 'general',
    polygon JSONB,
    metadata JSONB DEFAULT '{}',
    is_active BOOLEAN DEFAULT true,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT unique_region UNIQUE(store_id, sensor_id, region_id)
);

-- Indexes
CREATE INDEX idx_region_store ON region_configurations(store_id);
CREATE INDEX idx_region_sensor ON region_configurations(sensor_id);
CREATE INDEX idx_region_active ON region_configurations(is_active);

CREATE TABLE alerts (
    id UUID PRIMARY KEY DEFAULT uuid_generate_v4(),
    organization_id UUID NOT NULL REFERENCES organizations(id) ON DELETE CASCADE,
    store_id UUID REFERENCES stores(id) ON DELETE CASCADE,
    alert_type VARCHAR(50) NOT NULL,
    severity VARCHAR(20) NOT NULL,
    title VARCHAR(255) NOT NULL,
    description TEXT,
    metadata JSONB DEFAULT '{}',
    is_resolved BOOLEAN DEFAULT false,
    resolved_at TIMESTAMP WITH TIME ZONE,
    resolved_by UUID REFERENCES user_profiles(id),
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    
    CONSTRAINT valid_severity CHECK (severity IN ('critical', 'warning', 'info'))
);

-- Indexes
CREATE INDEX idx_alerts_organization ON alerts(organization_id);
CREATE INDEX idx_alerts_store ON alerts(store_id);
CREATE INDEX idx_alerts_unresolved ON alerts(is_resolved) WHERE is_resolved = false;
CREATE INDEX idx_alerts_created ON alerts(created_at DESC);

CREATE MATERIALIZED VIEW latest_sensor_data AS
SELECT DISTINCT ON (sensor_id)
    sm.id,
    sm.organization_id,
    sm.store_id,
    sm.sensor_id,
    sm.name,
    sm.sensor_type,
    sm.is_online,
    sm.health_status,
    sm.last_seen_at,
    pcr.timestamp as last_data_timestamp,
    pcr.in_count as last_in_count,
    pcr.out_count as last_out_count,
    s.name as store_name,
    s.timezone as store_timezone
FROM sensor_metadata sm
LEFT JOIN stores s ON sm.store_id = s.id
LEFT JOIN LATERAL (
    SELECT timestamp, in_count, out_count
    FROM people_counting_raw
    WHERE sensor_id = sm.sensor_id
    ORDER BY timestamp DESC
    LIMIT 1
) pcr ON true
ORDER BY sensor_id, pcr.timestamp DESC;

-- Indexes
CREATE UNIQUE INDEX idx_latest_sensor_data_sensor ON latest_sensor_data(sensor_id);
CREATE INDEX idx_latest_sensor_data_store ON latest_sensor_data(store_id);
CREATE INDEX idx_latest_sensor_data_online ON latest_sensor_data(is_online);

-- Refresh strategy
-- REFRESH MATERIALIZED VIEW CONCURRENTLY latest_sensor_data;

-- Enable RLS on all tables
ALTER TABLE organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE stores ENABLE ROW LEVEL SECURITY;
ALTER TABLE sensor_metadata ENABLE ROW LEVEL SECURITY;
ALTER TABLE people_counting_raw ENABLE ROW LEVEL SECURITY;
ALTER TABLE regional_counting_raw ENABLE ROW LEVEL SECURITY;
ALTER TABLE hourly_analytics ENABLE ROW LEVEL SECURITY;
ALTER TABLE daily_analytics ENABLE ROW LEVEL SECURITY;
ALTER TABLE alerts ENABLE ROW LEVEL SECURITY;

-- Organization access policy
CREATE POLICY "Users can only see their organization"
ON organizations FOR ALL
USING (
    id IN (
        SELECT organization_id 
        FROM user_profiles 
        WHERE id = auth.uid()
    )
);

